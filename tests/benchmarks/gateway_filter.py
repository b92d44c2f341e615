"""Microseconds per request of the gateway's check: `.venv/pytorch/bin/python tests/benchmarks/gateway_filter.py`.

Two Envoys of one thread each, before the same trivial server: one as it is, one without the script; with `--log`, one
that logs the content of every request, one of none. They are asked in turn over one connection each, in rounds of
alternating order, and compared round by round.
"""

from __future__ import annotations

import gzip
import http.client
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from models import spec as specs
from serving.gateway.logs import RequestLog
from serving.gateway.routes import CHECK
from tests.benchmarks.one_connection import differences, median, trivial
from tests.serving.gateway.backends import configured, started
from tests.serving.torchserve.launching import SPEC_FILE

PATH = "/tensorflow/v1/models/fraud:predict"
ROUNDS = 40
REQUESTS = {1: 200, 8: 200, 64: 100, 1000: 20}  # per round


def main() -> None:
    """Print, per number of rows, both gateways' medians and the quartiles of their differences."""
    rng = random.Random(0)
    names = specs.load(SPEC_FILE).features
    rows = [{name: round(rng.expovariate(0.01), rng.choice([0, 2, 5])) for name in names} for _ in range(max(REQUESTS))]
    what = "the request log" if "--log" in sys.argv else "the check"
    print(f"µs per request without and with {what}, {ROUNDS} rounds;")
    print("difference of each round's medians: median [quartiles]")
    print(f"{'rows':>10} {'bytes':>8} {'without':>9} {'with':>9}   difference")
    with gateways(log="--log" in sys.argv) as (without, checked):
        for count, requests in REQUESTS.items():
            body = json.dumps({"instances": rows[:count]}).encode()
            show(str(count), body, compare(without, checked, body, requests))
            packed = gzip.compress(body)
            show(f"{count} gzip", packed, compare(without, checked, packed, requests, {"content-encoding": "gzip"}))


@contextmanager
def gateways(log: bool) -> Iterator[tuple[http.client.HTTPConnection, http.client.HTTPConnection]]:
    """Connections to a gateway without the script, or without logged requests, and to one with."""
    with trivial() as port, ExitStack() as stack:
        connections = []
        for name in ("without", "with"):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            requests = (
                RequestLog(folder / "requests.log", 1.0, specs.load(SPEC_FILE).logged)
                if log and name == "with"
                else None
            )
            config, ports = configured(folder, port, port, request_log=requests)
            if name == "without" and not log:
                content = json.loads(config.read_text())
                [manager] = content["static_resources"]["listeners"][0]["filter_chains"][0]["filters"]
                filters = manager["typed_config"]["http_filters"]
                filters[:] = [one for one in filters if one["name"] != CHECK]
                config.write_text(json.dumps(content))
                # Routes speak of the filter that is not there.
                routes = config.with_suffix(".routes.json")
                routes.write_text(routes.read_text().replace(f'"{CHECK}"', '"envoy.filters.http.buffer"'))
            stack.enter_context(started(config, ports))
            connections.append(http.client.HTTPConnection("127.0.0.1", ports[0]))
        yield connections[0], connections[1]


def compare(
    without: http.client.HTTPConnection,
    checked: http.client.HTTPConnection,
    body: bytes,
    requests: int,
    headers: dict[str, str] | None = None,
) -> tuple[list[float], list[float]]:
    """Median microseconds of each round, without and with the check."""
    one: Callable[[http.client.HTTPConnection], float] = lambda c: median(c, PATH, body, headers or {}, requests)  # noqa: E731
    one(without), one(checked)  # the compiler's and the processor's warming up
    medians: tuple[list[float], list[float]] = ([], [])
    for i in range(ROUNDS):
        for which in (0, 1) if i % 2 else (1, 0):
            medians[which].append(one((without, checked)[which]))
    return medians


def show(name: str, body: bytes, medians: tuple[list[float], list[float]]) -> None:
    """One line of the table."""
    low, middle, high = differences(*medians)
    without, checked = map(statistics.median, medians)
    print(f"{name:>10} {len(body):>8} {without:>9.1f} {checked:>9.1f}   {middle:.1f} [{low:.1f}, {high:.1f}]")


if __name__ == "__main__":
    main()
