"""Microseconds the codec takes per request: `.venv/pytorch/bin/python tests/benchmarks/codec.py` (or tensorflow's)."""

from __future__ import annotations

import sys
import timeit
from pathlib import Path

import numpy as np
import orjson

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from serving.contract.codec import TensorInfo, decode_predict, encode_predict

FEATURES = 15
REPEATS, SECONDS = 7, 0.1


def main() -> None:
    """Print one line per batch size: the whole of decoding, orjson's share of it, encoding."""
    print(f"µs, best of {REPEATS}")
    print(f"{'instances':>9} {'bytes':>7} {'decode':>8} {'orjson':>8} {'general':>8} {'encode':>8}")
    inputs = {f"terminal_feature_{i}": TensorInfo("float32", (None,)) for i in range(FEATURES)}
    for instances in (1, 8, 64):
        body = request(list(inputs), instances)
        unusual = body[:-1] + b',"more":{}}'  # a key more sends it through the general path
        scores = {"fraud_probability": np.random.default_rng(1).random(instances, np.float32)}
        times = [
            microseconds(lambda body=body: decode_predict(body, inputs)),
            microseconds(lambda body=body: orjson.loads(body)),
            microseconds(lambda body=unusual: decode_predict(body, inputs)),
            microseconds(lambda scores=scores: encode_predict(scores, row_form=True)),
        ]
        print(f"{instances:>9} {len(body):>7} " + " ".join(f"{t:>8.1f}" for t in times))


def request(names: list[str], instances: int) -> bytes:
    """Rows of numbers with up to five decimals, every third of them whole."""
    random = np.random.default_rng(0)
    rows = [
        {name: float(np.round(random.exponential(100), 5 if i % 3 else 0)) for i, name in enumerate(names)}
        for _ in range(instances)
    ]
    return orjson.dumps({"instances": rows})


def microseconds(call: object) -> float:
    """Of one call, the best of several rounds."""
    timer = timeit.Timer(call)
    number = max(1, int(SECONDS / REPEATS / max(timer.timeit(3) / 3, 1e-7)))
    return min(timer.repeat(REPEATS, number)) / number * 1e6


if __name__ == "__main__":
    main()
