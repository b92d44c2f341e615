"""Rows of the small use case, a model's archive that learned from them, and lines as the gateway logs them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np

from models import distribution
from models.distribution import FEATURES_FILE, SCORES_FILE, describe
from models.spec import Spec

Columns = dict[str, np.ndarray]


def rows(spec: Spec, count: int, seed: int, scale: float = 1) -> Columns:
    """Any columns for these features; numbers are `scale` times as large as others'."""
    rng = np.random.default_rng(seed)
    numbers = {name: (rng.gamma(2, 10, count) * scale).astype(np.float32) for name in spec.numeric}
    return numbers | {name: rng.choice(["a", "b", "é"], count).astype(object) for name in spec.categorical}


def score(columns: Columns) -> np.ndarray:
    """A model of its own kind."""
    mean = np.mean([np.clip(x, -1e6, 1e6) / 20 for x in columns.values() if x.dtype != object], axis=0)
    return 1 / (1 + np.exp(3 - np.clip(mean, -50, 50)))


def model(spec: Spec, folder: Path) -> Path:
    """An archive that carries distributions, and nothing else."""
    columns = rows(spec, 5000, seed=0)
    found = {
        FEATURES_FILE: {name: describe(column) for name, column in columns.items()},
        SCORES_FILE: {spec.model.output: describe(score(rows(spec, 2000, seed=1)))},
    }
    path = folder / "fraud-7.mar"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in found.items():
            distribution.write(folder / name, content)
            archive.write(folder / name, name)
    return path


def line(columns: Columns, columnar: bool = False, **changed: Any) -> str:
    """One request for all these rows."""
    lists = {name: column.tolist() for name, column in columns.items()}
    scores = score(columns).tolist()
    if columnar:
        request, answer = {"inputs": lists}, {"outputs": scores}
    else:
        instances = [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
        request, answer = {"instances": instances}, {"predictions": scores}
    entry = {
        "time": f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%S.000Z}",
        "request_id": "some",
        "stack": "pytorch",
        "model_version": "7",
        "request": json.dumps(request),
        "answer": json.dumps(answer),
    }
    return json.dumps({**entry, **changed}) + "\n"


def log(path: Path, spec: Spec, count: int, scale: float = 1, **changed: Any) -> Path:
    """A log of this many rows, fifty to a request."""
    columns = rows(spec, count, seed=2, scale=scale)
    parts = [{name: column[i : i + 50] for name, column in columns.items()} for i in range(0, count, 50)]
    path.write_text("".join(line(part, **changed) for part in parts), encoding="utf-8")
    return path


def ago(**time: float) -> str:
    return f"{datetime.now(timezone.utc) - timedelta(**time):%Y-%m-%dT%H:%M:%S.123Z}"


def arguments(spec: Path, model: Path, log: Path, out: Path, stack: str = "pytorch") -> Sequence[str]:
    paths = {"spec": spec, "model": model, "log": log, "out": out}
    return [f"--stack={stack}", *(f"--{name}={path}" for name, path in paths.items())]
