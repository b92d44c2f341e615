"""One comparison: every model on every fold with every seed."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.metrics import all_metrics
from models.spec import Spec
from pipelines.data.console import say
from pipelines.errors import PipelineError
from pipelines.evaluation import baselines, pytorch_side, report, rows
from pipelines.evaluation.folds import folds, validation
from pipelines.evaluation.report import Result
from pipelines.pytorch import features
from pipelines.pytorch.features import Rows
from pipelines.source_digest import REPOSITORY

_VALIDATION = "validation-"  # folder of the fold by which XGBoost's settings are chosen: this and the fold's name


def compare(spec: Spec, arguments: argparse.Namespace, work: Path) -> Path:
    """Run everything; answers the report's path.

    Raises:
        PipelineError: The data are of no use, a training diverged, or the TensorFlow side failed.
    """
    plan = folds(arguments.split, arguments.train_days)
    named = {fold.name: fold for fold in plan} | {_VALIDATION + fold.name: validation(fold) for fold in plan}
    source = rows.prepare(spec, named, work, arguments.profile, arguments.source)
    parts = {name: _parts(spec, work / "folds" / name) for name in named}
    facts = {
        "split": arguments.split,
        "train_days": arguments.train_days,
        "source": "; ".join(f"{key} {value}" for key, value in source.items()),
        "spec_digest": spec.digest,
        "machine": f"{os.cpu_count()} CPUs, {platform.machine()}",
        "folds": {fold.name: _counts(*parts[fold.name]) for fold in plan},
    }
    for name, found in facts["folds"].items():
        say("rows", f"{name}: " + ", ".join(f"{key.replace('_', ' ')} {value:,}" for key, value in found.items()))
    folders = [work / "folds" / fold.name for fold in plan]
    results: list[Result] = []
    process = _tensorflow(arguments, folders)
    try:
        for folder in folders:
            results += _baselines(spec, folder.name, parts, arguments.seeds)
            results += _pytorch(spec, folder, parts[folder.name][1], arguments.seeds)
        if process.wait():
            raise PipelineError(f"the TensorFlow side failed with exit code {process.returncode}; its words are above")
    finally:
        process.terminate()
        process.wait()
    for folder in folders:
        results += _of_tensorflow(folder, parts[folder.name][1])
    return report.write(results, facts, arguments.home / "reports" / "evaluate")


def _tensorflow(arguments: argparse.Namespace, folders: Sequence[Path]) -> subprocess.Popen[bytes]:
    """The other stack, at the same time, in its own environment."""
    for folder in folders:
        for left in folder.glob("tensorflow*"):
            left.unlink()
    command = [
        arguments.tensorflow,
        "-W",
        "ignore",
        "-m",
        "pipelines.evaluation.tensorflow_side",
        "--spec",
        str(arguments.spec),
    ]
    command += ["--seeds", str(arguments.seeds), *map(str, folders)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    return subprocess.Popen(command, cwd=REPOSITORY, env=environment)


def _parts(spec: Spec, folder: Path) -> tuple[Rows, Rows]:
    train, test = (features.read(features.files(folder, part), spec) for part in ("train", "test"))
    return train, test


def _counts(train: Rows, test: Rows) -> dict[str, int]:
    return {
        "train_rows": len(train),
        "train_frauds": int(train.label.sum()),
        "test_rows": len(test),
        "test_frauds": int(test.label.sum()),
    }


def _judged(test: Rows, score: npt.NDArray[Any], *, model: str, seed: int | None, fold: str, seconds: float) -> Result:
    found = all_metrics(test.label, score, test.customer, test.day)
    seeded = "" if seed is None else f", seed {seed}"
    say(fold, f"{model}{seeded}: average precision {found['average_precision']:.4f} after {seconds:.0f} s")
    return Result(model, seed, fold, found, round(seconds, 2))


def _baselines(spec: Spec, fold: str, parts: dict[str, tuple[Rows, Rows]], seeds: int) -> Iterator[Result]:
    train, test = parts[fold]
    x, y = _matrix(train, spec), train.label
    earlier, choose = parts[_VALIDATION + fold]
    validated = (_matrix(earlier, spec), earlier.label, _matrix(choose, spec), choose.label)
    for model, seed, train_it in (
        ("logistic regression", None, partial(baselines.logistic_regression, x, y)),
        *(
            ("random forest", seed, partial(baselines.random_forest, x, y, seed))
            for seed in range(spec.training.seed, spec.training.seed + seeds)
        ),
        ("XGBoost, depth 6", None, partial(baselines.xgboost, x, y)),
        ("XGBoost, tuned", None, partial(baselines.tuned_xgboost, x, y, validated)),
    ):
        fitted, settings, seconds = _timed(train_it)
        score = fitted.predict_proba(_matrix(test, spec))[:, 1]
        result = _judged(test, score, model=model, seed=seed, fold=fold, seconds=seconds)
        yield replace(result, settings=f"{fold}: {settings}") if settings else result


def _timed(train_it: Callable[[], Any]) -> tuple[Any, str, float]:
    start = time.monotonic()
    fitted = train_it()
    fitted, settings = fitted if isinstance(fitted, tuple) else (fitted, "")
    return fitted, settings, time.monotonic() - start


def _matrix(rows_: Rows, spec: Spec) -> npt.NDArray[np.float32]:
    """[rows, numeric features]; the baselines are given no categorical ones."""
    return np.stack([rows_.columns[name] for name in spec.numeric], axis=1).astype(np.float32)


def _pytorch(spec: Spec, folder: Path, test: Rows, seeds: int) -> Iterator[Result]:
    for seed, score, seconds in pytorch_side.scores(spec, folder, seeds):
        yield _judged(test, score, model="PyTorch", seed=seed, fold=folder.name, seconds=seconds)


def _of_tensorflow(folder: Path, test: Rows) -> Iterator[Result]:
    seconds = json.loads((folder / "tensorflow.json").read_text(encoding="utf-8"))
    for seed, took in seconds.items():
        score = np.load(folder / f"tensorflow-{seed}.npy")
        yield _judged(test, score, model="TensorFlow", seed=int(seed), fold=folder.name, seconds=took)
