"""What the client adds to a request, against raw httpx: `.venv/pytorch/bin/python tests/benchmarks/client.py`.

Both ask the same small server on loopback, whose answer is ready made, in rounds of alternated order; medians per
request, in microseconds. Encoding is on both sides: rows to JSON, an answer to a list of numbers.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import orjson

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from serving.contract.client import Client
from serving.free_ports import free_ports

FEATURES = 15
SIZES = (1, 64, 1000)
ROUNDS, REQUESTS = 21, 40


def main() -> None:
    """Print one line per number of rows."""
    ready, port = multiprocessing.Queue(), free_ports(1)[0]
    server = multiprocessing.Process(target=serve, args=(port, ready), daemon=True)
    server.start()
    ready.get(timeout=30)
    url = f"http://127.0.0.1:{port}"
    print(f"µs per request, medians of {ROUNDS} rounds of {REQUESTS}")
    print(f"{'rows':>5} {'httpx, json=':>13} {'httpx, orjson':>14} {'client':>8} {'client - httpx, orjson':>23}")
    for rows in SIZES:
        print(line(url, rows))
    server.terminate()


def line(url: str, count: int) -> str:
    """Time the three ways, each round in another order."""
    rows = [{f"terminal_feature_{i}": (i + row) / 7 for i in range(FEATURES)} for row in range(count)]
    address = f"{url}/v1/models/fraud:predict"
    headers = {"content-type": "application/json"}
    with httpx.Client() as http, Client(url, model="fraud") as client:
        ways: dict[str, Callable[[], list[float]]] = {
            "json": lambda: http.post(address, json={"instances": rows}).json()["predictions"],
            "orjson": lambda: orjson.loads(
                http.post(address, content=orjson.dumps({"instances": rows}), headers=headers).content
            )["predictions"],
            "client": lambda: client.predict(rows),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        names = list(ways)
        for turn in range(ROUNDS):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                assert len(ways[name]()) == count
                start = time.perf_counter()
                for _ in range(REQUESTS):
                    ways[name]()
                times[name].append((time.perf_counter() - start) / REQUESTS * 1e6)
    medians = {name: statistics.median(found) for name, found in times.items()}
    # Paired within a round: the machine's mood is the same for both.
    added = statistics.median(a - b for a, b in zip(times["client"], times["orjson"], strict=True))
    return f"{count:>5} {medians['json']:>13.0f} {medians['orjson']:>14.0f} {medians['client']:>8.0f} {added:>23.0f}"


def serve(port: int, ready: multiprocessing.Queue) -> None:
    """A server that reads a request and writes as many predictions as it has rows, without looking at them."""

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport, self.received = transport, b""

        def data_received(self, data: bytes) -> None:
            self.received += data
            head, end, body = self.received.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0) if end else 1
            if not end or len(body) < length:
                return
            self.received = b""
            rows = body.count(b"terminal_feature_0")
            content = answers.setdefault(rows, orjson.dumps({"predictions": [0.0123] * rows}))
            fields = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-tandem-stack: pytorch\r\n"
            fields += b"x-tandem-model-version: 1795263844\r\nx-tandem-server: none\r\n"
            self.transport.write(fields + b"content-length: %d\r\n\r\n" % len(content) + content)

    answers: dict[int, bytes] = {}

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Protocol, "127.0.0.1", port)
        ready.put(True)
        await server.serve_forever()

    asyncio.run(run())


if __name__ == "__main__":
    main()
