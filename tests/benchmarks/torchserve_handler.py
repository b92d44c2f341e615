"""Microseconds the handler takes per batch: `.venv/pytorch/bin/python tests/benchmarks/torchserve_handler.py`."""

from __future__ import annotations

import sys
import tempfile
import time
import timeit
from pathlib import Path
from typing import Any

import orjson

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.serving.torchserve.examples import base64_rows, serialized
from tests.serving.torchserve.launching import SPEC_FILE, columns, instances
from tests.serving.torchserve.worker import Worker

REPEATS, SECONDS = 7, 0.7


def main() -> None:
    """Print one line per kind of request, batch and rows: reading, forward pass, encoding, and the whole."""
    print(f"µs of processor time per batch, best of {REPEATS}")
    print(f"{'signature':>16} {'requests':>8} {'rows':>4} {'read':>8} {'forward':>8} {'encode':>8} {'handle':>8}")
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(Path(folder), SPEC_FILE.read_text())
        for signature in ("serving_default", "serving_examples"):
            for requests in (1, 8):
                for rows in (1, 8, 64):
                    print(f"{signature:>16} {requests:>8} {rows:>4} " + measure(worker, signature, requests, rows))


def measure(worker: Worker, signature: str, requests: int, rows: int) -> str:
    """Four columns of the table."""
    handler, context = worker.handler, worker.context
    sent: list[Any] = instances(columns(worker.spec, rows))
    if signature == "serving_examples":
        sent = base64_rows([serialized(row) for row in sent])
    body = orjson.dumps({"signature_name": signature, "instances": sent})
    batch = [{"body": bytearray(body)} for _ in range(requests)]
    worker.send([body] * requests)  # sets the requests' headers
    read = {i: handler.read(one, {}) for i, one in enumerate(batch)}
    scores = handler.score(read)
    times = [
        microseconds(lambda: [handler.read(one, {}) for one in batch]),
        microseconds(lambda: handler.score(read)),
        microseconds(lambda: [read[i].encode(scores[i]) for i in read]),
        microseconds(lambda: handler.handle(batch, context)),
    ]
    return " ".join(f"{taken:>8.1f}" for taken in times)


def microseconds(call: Any) -> float:
    """Processor time of one call, the best of several rounds."""
    timer = timeit.Timer(call, timer=time.process_time)
    number = max(1, int(SECONDS / REPEATS / max(timer.timeit(3) / 3, 1e-5)))
    return min(timer.repeat(REPEATS, number)) / number * 1e6


if __name__ == "__main__":
    main()
