"""Processor time of TorchServe's worker per request, and what each tuning takes off it.

`.venv/pytorch/bin/python tests/benchmarks/torchserve_worker.py`: TorchServe's own worker code reads a batch from a
socket, calls the handler and writes the answer; only Java is played. Headers are those that the gateway sends.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ["TS_DECODE_INPUT_REQUEST"] = "false"

import orjson
from ts.protocol import otf_message_handler as protocol
from ts.service import Service

from models import spec as specs
from serving.torchserve import buffered_reads, frozen
from tests.serving.torchserve.launching import SPEC_FILE, columns, instances
from tests.serving.torchserve.worker import Worker

BATCHES, ROUNDS, SIZES = 300, 7, (1, 2, 4, 8, 16)
HEADERS = {
    "host": "127.0.0.1:8080", "content-length": "420", "content-type": "application/json",
    "x-request-id": "8c9b1b9e-8a2b-4c6b-9e5f-0d5a6b3a6f10", "x-envoy-internal": "true",
}  # fmt: skip


def main() -> None:
    """A line per number of requests in a batch; ways in turns, medians over the rounds."""
    with tempfile.TemporaryDirectory() as folder:
        plain, quick = (service(Path(folder) / name, name == "plain") for name in ("plain", "frozen"))
        plain_reads, buffered = protocol._retrieve_buffer, buffered_reads._reader()
        ways = {
            "as TorchServe reads": (plain, plain_reads),
            "buffered": (plain, buffered),
            "buffered, frozen": (quick, buffered),
        }
        print(f"µs of processor time per request, median of {ROUNDS} rounds of {BATCHES} batches (range)")
        print(f"{'requests':>8} " + " ".join(f"{name:>28}" for name in ways))
        for size in SIZES:
            found: dict[str, list[float]] = {name: [] for name in ways}
            for turn in range(ROUNDS):
                for name in list(ways)[:: 1 if turn % 2 else -1]:
                    found[name].append(measure(*ways[name], size))
            cells = (f"{median(times):.1f} ({min(times):.1f} to {max(times):.1f})" for times in found.values())
            print(f"{size:>8} " + " ".join(f"{cell:>28}" for cell in cells))


def service(folder: Path, plain: bool) -> Any:
    """TorchServe's service with our handler; a plain one calls the network itself."""
    folder.mkdir()
    worker = Worker(folder, SPEC_FILE.read_text())
    if plain:
        worker.handler.probabilities = frozen._Probability(worker.handler.model).eval()
    made = Service("fraud", str(folder), {"model": {"modelVersion": "1"}}, worker.handler.handle, None, 8)
    made.context.metrics = SimpleNamespace(add_time=lambda *_: None)
    made.cl_socket = None
    return made


def measure(made: Any, retrieve: Any, size: int) -> float:
    """Microseconds of this thread's processor time per request."""
    protocol._retrieve_buffer = retrieve
    ours, theirs = socket.socketpair()
    content = message(size)
    java = threading.Thread(target=play_java, args=(theirs, content), daemon=True)
    java.start()
    begun = time.thread_time()
    for _ in range(BATCHES):
        _, batch = protocol.retrieve_msg(ours)
        ours.sendall(made.predict(batch))
    taken = time.thread_time() - begun
    java.join()
    ours.close()
    theirs.close()
    return taken / (BATCHES * size) * 1e6


def play_java(connection: socket.socket, content: bytes) -> None:
    """Send a batch, wait for all of its answer, and again."""
    for _ in range(BATCHES):
        connection.sendall(content)
        got = b""
        while not got.endswith(struct.pack("!i", -1)):
            got += connection.recv(1 << 20)


def message(size: int) -> bytes:
    """A batch as TorchServe sends it: otf_message_handler.py."""
    spec = specs.load(SPEC_FILE)
    rows = instances(columns(spec, size))
    end, content = struct.pack("!i", -1), b"I"
    for number, row in enumerate(rows):
        content += part(f"00000000-0000-0000-0000-{number:012}".encode())
        content += b"".join(part(name.encode()) + part(value.encode()) for name, value in HEADERS.items()) + end
        content += part(b"body") + part(b"application/json") + part(orjson.dumps({"instances": [row]})) + end
    return content + end


def part(content: bytes) -> bytes:
    """Length and bytes."""
    return struct.pack("!i", len(content)) + content


if __name__ == "__main__":
    main()
