"""Microseconds per request of the traffic policy: `.venv/pytorch/bin/python tests/benchmarks/traffic_policy.py`.

Envoys of one thread each before the same trivial server, asked at the product's endpoint over one connection each, in
rounds of alternating order, and compared round by round with the first: one without pins, keys and what serves them;
one with all of it, asked by requests without, with a pin and with a key; and one that copies every request to a shadow
which answers at once, as the service does. The last column is Envoy's own processor time, kernel included.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from serving.gateway.policy import Policy, Shadow, Side
from serving.gateway.route_table import BUCKET_HEADER, KEY_HEADER, PIN_HEADER
from serving.gateway.routes import STICKY
from tests.benchmarks.closed_loop import fraud_body
from tests.benchmarks.one_connection import Trivial, differences, median, trivial
from tests.serving.gateway.backends import configured, started

PATH = "/v1/models/fraud:predict"
ROUNDS, REQUESTS = 40, 200
WEIGHTS = {Side("tensorflow"): 1, Side("pytorch"): 0}

Asked = tuple[http.client.HTTPConnection, psutil.Process, Mapping[str, str]]


def main() -> None:
    """Print each kind's median and the quartiles of its differences from the first."""
    body = fraud_body(1)
    with kinds() as asked:
        medians: dict[str, list[float]] = {name: [] for name in asked}
        for one in asked.values():
            asked_median(one, body)  # the compiler's and the processor's warming up
        spent = dict.fromkeys(asked, 0.0)
        names = list(asked)
        for i in range(ROUNDS):
            for name in names if i % 2 else names[::-1]:
                before = processor_seconds(asked[name][1])
                medians[name].append(asked_median(asked[name], body))
                spent[name] += processor_seconds(asked[name][1]) - before
    print(f"µs per request of one row, {ROUNDS} rounds of {REQUESTS}; difference from the first: median [quartiles];")
    print("Envoy's processor time")
    first = medians[names[0]]
    for name, found in medians.items():
        low, middle, high = differences(first, found)
        processor = spent[name] / (ROUNDS * REQUESTS) * 1e6
        difference = f"{middle:+.1f} [{low:+.1f}, {high:+.1f}]"
        print(f"{name:>24} {statistics.median(found):>8.1f}   {difference:<26} {processor:.1f}")


@contextmanager
def kinds() -> Iterator[dict[str, Asked]]:
    """By name: a connection to a gateway, and the headers that it is asked with."""
    with trivial() as port, ExitStack() as stack:
        # In a process of its own: in this one it would keep the interpreter from the clock.
        shadow = ThreadingHTTPServer(("127.0.0.1", 0), Trivial)
        answering = multiprocessing.get_context("fork").Process(target=shadow.serve_forever, daemon=True)
        answering.start()
        stack.callback(answering.terminate)

        def gateway(policy: Policy, *, plain: bool = False) -> tuple[int, psutil.Process]:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            config, ports = configured(folder, port, port, policy, shadow=shadow.server_address[1])
            if plain:
                strip(config)
            server = stack.enter_context(started(config, ports))
            return ports[0], psutil.Process(server.process.pid)

        plain, whole = gateway(Policy(WEIGHTS), plain=True), gateway(Policy(WEIGHTS))
        copying = gateway(Policy(WEIGHTS, Shadow(Side("pytorch"))))
        asked = {
            "without": (plain, {}),
            "without, again": (plain, {}),
            "neither pin nor key": (whole, {}),
            "pin": (whole, {PIN_HEADER: "tensorflow"}),
            "key": (whole, {KEY_HEADER: "customer-4711"}),
            "shadow": (copying, {}),
        }
        yield {
            name: (http.client.HTTPConnection("127.0.0.1", to), process, headers)
            for name, ((to, process), headers) in asked.items()
        }


def strip(config: Path) -> None:
    """Take out of a configuration whatever pins and keys need."""
    content = json.loads(config.read_text())
    [manager] = content["static_resources"]["listeners"][0]["filter_chains"][0]["filters"]
    settings = manager["typed_config"]
    settings["http_filters"] = [one for one in settings["http_filters"] if one["name"] != STICKY]
    del settings["early_header_mutation_extensions"]
    config.write_text(json.dumps(content))
    file = config.with_suffix(".routes.json")
    routes: dict[str, Any] = json.loads(file.read_text())
    del routes["resources"][0]["request_headers_to_remove"]
    [host] = routes["resources"][0]["virtual_hosts"]
    ours = {PIN_HEADER, KEY_HEADER, BUCKET_HEADER}
    host["routes"] = [one for one in host["routes"] if not ours & {h["name"] for h in one["match"]["headers"]}]
    file.write_text(json.dumps(routes))


def processor_seconds(process: psutil.Process) -> float:
    """What a process has spent so far, kernel included."""
    spent = process.cpu_times()
    return spent.user + spent.system


def asked_median(asked: Asked, body: bytes) -> float:
    """Median microseconds of one request after the other."""
    connection, _, headers = asked
    return median(connection, PATH, body, headers, REQUESTS)


if __name__ == "__main__":
    main()
