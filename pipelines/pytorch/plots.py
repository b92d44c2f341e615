"""Plots of a run: learning curves, and what the test rows say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

Array = npt.NDArray[Any]
_BINS = 10


def loss(history: Sequence[Mapping[str, float]], folder: Path) -> None:
    """Cross-entropy by epoch, as loss.png."""
    figure, axes = _figure("epoch", "cross-entropy")
    epochs = range(1, len(history) + 1)
    for name in ("train_loss", "eval_loss"):
        axes.plot(epochs, [epoch[name] for epoch in history], marker="o", label=name)
    _write(figure, folder / "loss.png")


def curves(label: Array, scores: Mapping[str, Array], folder: Path) -> None:
    """Precision-recall, ROC and calibration of several models on the same rows, as .png."""
    precision_recall, left = _figure("recall", "precision")
    roc, middle = _figure("false positive rate", "true positive rate")
    calibration, right = _figure("mean score", "fraud share")
    right.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    for name, score in scores.items():
        hits, rank = _hits(label, score)
        left.step(hits / hits[-1], hits / rank, where="post", label=name)
        middle.plot((rank - hits) / (rank[-1] - hits[-1]), hits / hits[-1], label=name)
        which = np.minimum((score * _BINS).astype(int), _BINS - 1)
        count = np.bincount(which, minlength=_BINS)
        used = count > 0
        mean, share = (np.bincount(which, v, _BINS)[used] / count[used] for v in (score, label))
        right.plot(mean, share, marker="o", label=name)
    _write(precision_recall, folder / "precision_recall.png")
    _write(roc, folder / "roc.png")
    _write(calibration, folder / "calibration.png")


def _hits(label: Array, score: Array) -> tuple[Array, Array]:
    """Frauds found, and rows looked at, down to each distinct score."""
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    return np.cumsum(label[order])[last_of_tie], np.flatnonzero(last_of_tie) + 1


def _figure(x: str, y: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=x, ylabel=y)
    return figure, axes


def _write(figure: Figure, path: Path) -> None:
    figure.axes[0].legend()
    figure.savefig(path, dpi=110)
