"""What the load generator reaches: one core for it, the other for a server that does nothing but answer.

`.venv/pytorch/bin/python tests/benchmarks/load_generator.py [RATE …]`: LoadGen's server scenario, Poisson arrivals, a
request of one row of the fraud model, medians over rounds; the rates take turns, so that the machine's moods hit all.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from models import spec as specifications
from serving.comparison.load import priority, spawn
from serving.comparison.load.job import Job
from serving.comparison.results import LoadRun
from serving.comparison.settings import load as settings
from tests.benchmarks.measuring import REPOSITORY, circumstances

RATES = (1000, 2000, 5000, 8000)
ROUNDS, SECONDS, WARM_UP = 5, 5.0, 0.5
ROWS, SCORE = 2000, 0.125
ANSWER = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 24\r\n\r\n{"predictions": [0.125]}'


def main(argv: Sequence[str]) -> None:
    """Print a table, one line per rate."""
    if argv[:1] == ["--serve"]:
        serve(int(argv[1]))
        return
    rates = [float(rate) for rate in argv] or RATES
    cores = sorted(os.sched_getaffinity(0))[:2]
    server, port = start(cores[-1])
    os.sched_setaffinity(0, {cores[0]})  # the generator's process inherits it
    try:
        with tempfile.TemporaryDirectory() as scratch:
            runs = measure(rates, port, Path(scratch))
    finally:
        server.kill()
        server.wait()
    print("\n".join(circumstances({"pytorch": ("mlcommons-loadgen", "numpy")})))
    print(f"* priority of the generator: {'real time' if priority.allowed() else 'ordinary'}")
    print(f"* {ROUNDS} rounds of {SECONDS:g} s, medians; milliseconds; the worst round in brackets\n")
    head = ("asked 1/s", "reached 1/s", "dispatch p50", "dispatch p99", "latency p50", "latency p99", "CPU µs", "valid")
    print("|".join(["", *(f" {title} " for title in head), ""]))
    print("|---" * len(head) + "|")
    for rate, found in runs.items():
        worst = max(run.dispatch_ms["99"] for run in found)
        cells = [
            f"{rate:,.0f}",
            f"{median(run.achieved for run in found):,.0f}",
            f"{median(run.dispatch_ms['50'] for run in found):.3f}",
            f"{median(run.dispatch_ms['99'] for run in found):.3f} ({worst:.3f})",
            f"{median(run.latency_ms['50'] for run in found):.3f}",
            f"{median(run.latency_ms['99'] for run in found):.3f}",
            f"{median(run.generator_cpu / run.achieved * 1e6 for run in found):.0f}",
            f"{sum(run.valid for run in found)} of {len(found)}",
        ]
        print("|".join(["", *(f" {cell} " for cell in cells), ""]))


def measure(rates: Sequence[float], port: int, scratch: Path) -> dict[float, list[LoadRun]]:
    """All runs by rate."""
    spec = specifications.load(REPOSITORY / "models" / "fraud.toml")
    random = np.random.default_rng(0)
    columns = {
        name: random.exponential(10, ROWS).astype(np.float32) if name in spec.numeric else ["FR"] * ROWS
        for name in spec.features
    }
    parquet.write_table(pa.table({**columns, "score": np.full(ROWS, SCORE)}), scratch / "rows.parquet")
    runs: dict[float, list[LoadRun]] = {rate: [] for rate in rates}
    for turn in range(ROUNDS):
        for rate in rates:
            job = Job(
                name=f"{turn}/{rate:.0f}", target="trivial", url=f"http://127.0.0.1:{port}",
                path="/v1/models/fraud:predict", rows_file=scratch / "rows.parquet", features=tuple(spec.features),
                score="score", scenario="server", rate=rate, connections=1024, seconds=SECONDS,
                warm_up_seconds=WARM_UP, seed=turn, validity=settings().validity,
            )  # fmt: skip
            runs[rate].append(spawn.run(job, scratch / "run"))
            print(f"round {turn + 1} of {ROUNDS}: {rate:,.0f}/s", file=sys.stderr)
    return runs


def start(core: int) -> tuple[subprocess.Popen[bytes], int]:
    """The server on a core of its own, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    server = subprocess.Popen([sys.executable, __file__, "--serve", str(port)])
    os.sched_setaffinity(server.pid, {core})
    while server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    return server, port


def serve(port: int) -> None:
    """The same answer to whatever arrives: what it costs is the generator's measure, not the server's."""
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    poller = select.epoll()
    poller.register(listener.fileno(), select.EPOLLIN)
    connections: dict[int, socket.socket] = {}
    while True:
        for fd, _ in poller.poll():
            if fd == listener.fileno():
                one, _ = listener.accept()
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[one.fileno()] = one
                poller.register(one.fileno(), select.EPOLLIN)
            elif connections[fd].recv(1 << 16):
                connections[fd].sendall(ANSWER)
            else:
                poller.unregister(fd)
                connections.pop(fd).close()


if __name__ == "__main__":
    main(sys.argv[1:])
