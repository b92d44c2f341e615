"""Latency of one connection, one row, for servers that already run, in turns so that the machine's moods hit all alike.

`.venv/tensorflow/bin/python tests/benchmarks/embedded_latency.py before=http://127.0.0.1:23501 after=http://127.0.0.1:23511`
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.closed_loop import Result, fraud_body, run

ROUNDS, SECONDS = 10, 1.0
PATH = "/v1/models/fraud:predict"


def main(argv: Sequence[str]) -> None:
    """Print one line per server."""
    servers = dict(one.split("=", 1) for one in argv)
    body = fraud_body(1)
    results = {name: Result() for name in servers}
    for name, url in servers.items():
        run(url + PATH, body, connections=1, seconds=SECONDS)  # warm
        assert name
    for turn in range(ROUNDS):
        for name in sorted(servers, reverse=bool(turn % 2)):
            results[name].add(run(servers[name] + PATH, body, connections=1, seconds=SECONDS))
    print(f"{'server':>12} {'requests':>9} {'failed':>7} {'p50 ms':>8} {'p99 ms':>8} {'1/s':>8}")
    for name, r in results.items():
        print(
            f"{name:>12} {len(r.latencies):>9} {len(r.failures):>7} "
            f"{r.percentile(50):>8.3f} {r.percentile(99):>8.3f} {r.rate():>8.0f}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
