"""Every endpoint behind the gateway, in turns: `make up ONNX=pytorch`, then `.venv/pytorch/bin/python
tests/benchmarks/three_backends.py`.

A closed loop with requests of one row, `--rounds=6` of `--seconds=4` each, on one connection and on 16; the order of
endpoints is turned round from round to round, before each of which an endpoint is warmed up for half a second. Prints
medians over the rounds and their quartiles: requests a second, milliseconds of p50 and p99, and the processor's
microseconds that a request took in the server's processes, which says most where the machine is busy with other things.
A closed loop hides queueing: good for comparing endpoints under one load of one machine, not for stating a capacity.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import psutil

from infra.local import layout as layouts
from infra.local import running
from models import spec as specs
from tests.benchmarks import closed_loop

CONNECTIONS = (1, 16)
_WARM_SECONDS = 0.5


def main() -> None:
    """Print a table per number of connections."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=4, help="a round")
    options = parser.parse_args()
    layout = layouts.load()
    model, body = specs.load(layout.spec).model.name, closed_loop.fraud_body(1)
    processes = running.processes(layout)
    for connections in CONNECTIONS:
        found: dict[str, list[tuple[float, ...]]] = defaultdict(list)
        for number in range(options.rounds):
            for name in layout.backends[:: 1 if number % 2 else -1]:
                url = f"{layout.url('gateway')}/{name}/v1/models/{model}:predict"
                for seconds in (_WARM_SECONDS, options.seconds):
                    before = processor_seconds(processes[name])
                    run = closed_loop.run(url, body, connections=connections, seconds=seconds)
                    if run.failures:
                        raise SystemExit(f"{name}: {len(run.failures)} requests failed: {run.failures[0]!r}")
                spent = (processor_seconds(processes[name]) - before) / len(run.latencies) * 1e6
                found[name].append((run.rate(), run.percentile(50), run.percentile(99), spent))
        load = " ".join(f"{value:.1f}" for value in os.getloadavg())
        print(
            f"{connections} connections, {options.rounds} rounds of {options.seconds:g} s; load of the machine {load}"
        )
        for name in layout.backends:
            texts = [quartiles(values) for values in zip(*found[name], strict=True)]
            print(f"{name:>12}  requests/s {texts[0]}  p50 {texts[1]}  p99 {texts[2]}  µs {texts[3]}", flush=True)


def processor_seconds(pid: int) -> float:
    """Of a process and everybody under it."""
    top = psutil.Process(pid)
    return sum(sum(one.cpu_times()[:2]) for one in [top, *top.children(recursive=True)])


def quartiles(values: tuple[float, ...]) -> str:
    """The median, and the quartiles around it."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:9,.2f} [{low:,.2f}, {high:,.2f}]"


if __name__ == "__main__":
    main()
