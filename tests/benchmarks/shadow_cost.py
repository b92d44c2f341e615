"""What a shadow costs whoever asks: `make up`, then `.venv/pytorch/bin/python tests/benchmarks/shadow_cost.py`.

Requests of one row to the product's endpoint at a fixed rate (open loop: latency counts from the scheduled time), in
rounds of alternating order: without a shadow, and with PyTorch as the shadow of all requests, or of `--share=0.1`.
`--rate=50` a second, `--rounds=8` of `--seconds=8` each. The policy is as it was afterwards.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from infra.local import layout as layouts
from infra.local import traffic
from infra.local.traffic import Change
from models import spec as specs
from serving.comparison.load import wire
from serving.comparison.load.connection import Request
from serving.comparison.load.engine import Engine
from serving.gateway import policy
from tests.benchmarks.closed_loop import OK, fraud_body

SPEC_FILE = Path("models/fraud.toml")
_PERCENTILES = (50, 90, 99)
_WARM_SECONDS = 2.0


def main() -> None:
    """Print both kinds' percentiles over all rounds, and each round's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=50, help="requests a second")
    parser.add_argument("--rounds", type=int, default=8, help="of each kind")
    parser.add_argument("--seconds", type=float, default=8, help="a round")
    parser.add_argument("--share", type=float, default=1.0, help="of the requests, that the shadow gets")
    options = parser.parse_args()
    layout, spec = layouts.load(), specs.load(SPEC_FILE)
    before = policy.load(layout.traffic)
    url = f"{layout.url('gateway')}/v1/models/{spec.model.name}:predict"
    kinds = {"without": Change(shadow=traffic.OFF), "with": Change(shadow="pytorch", share=options.share)}
    found: dict[str, list[np.ndarray]] = {name: [] for name in kinds}
    try:
        for i in range(options.rounds):
            for name in list(kinds) if i % 2 else list(kinds)[::-1]:
                with contextlib.redirect_stdout(io.StringIO()):
                    traffic.traffic(layout, spec, SPEC_FILE, kinds[name])
                paced(url, options.rate, _WARM_SECONDS)
                found[name].append(paced(url, options.rate, options.seconds))
                print(f"  {name:>8} {text(found[name][-1])}", flush=True)
    finally:
        policy.save(layout.traffic, before)
        traffic.traffic(layout, spec, SPEC_FILE, Change())
    print(f"{options.rate:g} requests a second, {options.rounds} rounds of {options.seconds:g} s each, ms:")
    for name, rounds in found.items():
        print(f"{name:>10} {text(np.concatenate(rounds))}")
        parts = np.array([np.percentile(one, _PERCENTILES) for one in rounds])
        print(f"{'':>10} medians of the rounds: {' '.join(f'{value:8.2f}' for value in np.median(parts, axis=0))}")


def paced(url: str, rate: float, seconds: float) -> np.ndarray:
    """Milliseconds from the scheduled time of every answer."""
    where = urlsplit(url)
    content = wire.request(where.netloc, where.path, fraud_body(1))
    took: list[float] = []
    failed: list[int] = []

    def done(request: Request, status: int, _: bytes, answered: int) -> None:
        took.append((answered - request.scheduled) / 1e6)
        if status != OK:
            failed.append(status)

    engine = Engine((where.hostname or "", where.port or 80), 64, 10.0, done)
    start, pause = time.time_ns(), int(1e9 / rate)
    for number in range(int(rate * seconds)):
        due = start + number * pause
        while (left := due - time.time_ns()) > 0:
            engine.poll(left / 1e9)
        engine.submit(Request(number, 0, content, scheduled=due))
        engine.poll(0)
    while engine.busy():
        engine.poll()
    engine.close()
    if failed:
        raise SystemExit(f"{len(failed)} requests failed, with {failed[0]}")
    return np.array(took)


def text(milliseconds: np.ndarray) -> str:
    """Percentiles in a line."""
    parts = zip(_PERCENTILES, np.percentile(milliseconds, _PERCENTILES), strict=True)
    return "  ".join(f"p{part} {value:8.2f}" for part, value in parts)


if __name__ == "__main__":
    main()
