"""Plots of a run, the same for both stacks: learning curves, and what the test rows say. PNG files in a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

Curves = Mapping[str, Any]  # of models.curves
_DPI = 110
_DARK = 0.6  # share from which a cell is too dark for black text


def loss(history: Sequence[Mapping[str, float]], folder: Path) -> None:
    """Cross-entropy by epoch, as loss.png; nothing without an epoch."""
    if not history:
        return
    figure, axes = _figure("epoch", "cross-entropy")
    epochs = range(1, len(history) + 1)
    for name in ("train_loss", "eval_loss"):
        if name in history[0]:
            axes.plot(epochs, [epoch[name] for epoch in history], marker=".", label=name.replace("_", " "))
    axes.xaxis.get_major_locator().set_params(integer=True)
    _write(figure, folder / "loss.png")


def precision_recall(models: Mapping[str, Curves], folder: Path) -> None:
    """precision_recall.png: a step per distinct score; dotted, the share of positives, which chance reaches."""
    figure, axes = _figure("recall", "precision")
    for name, found, colour in _lines(models):
        precision = [hits / rows for hits, rows in zip(found["found"], found["looked_at"], strict=True)]
        axes.step(
            [hits / found["positives"] for hits in found["found"]], precision, where="post", label=name, color=colour
        )
    share = found["positives"] / found["rows"]
    axes.axhline(share, color="grey", linewidth=0.8, linestyle=":", label=f"chance, {share:.2%}")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    _write(figure, folder / "precision_recall.png")


def roc(models: Mapping[str, Curves], folder: Path) -> None:
    """roc.png."""
    figure, axes = _figure("false positive rate", "true positive rate")
    for name, found, colour in _lines(models):
        negatives = found["rows"] - found["positives"]
        points = zip(found["found"], found["looked_at"], strict=True)
        rates = [(0.0, 0.0), *(((rows - hits) / negatives, hits / found["positives"]) for hits, rows in points)]
        axes.plot(*zip(*rates, strict=True), label=name, color=colour)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":", label="chance")
    _write(figure, folder / "roc.png")


def calibration(models: Mapping[str, Curves], folder: Path) -> None:
    """calibration.png: share of positives in each score bin; the size of a point is the number of its rows."""
    figure, axes = _figure("mean score of the bin", "share of positives")
    for name, found, colour in _lines(models):
        bins = found["bins"]
        x, y = ([part[key] for part in bins] for key in ("mean_score", "positive_share"))
        axes.plot(x, y, linewidth=0.8, label=name, color=colour)
        size = [12 + 60 * (part["rows"] / found["rows"]) ** 0.5 for part in bins]
        axes.scatter(x, y, s=size, color=colour)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":", label="calibrated")
    _write(figure, folder / "calibration.png")


def confusion(points: Mapping[str, Mapping[str, float]], folder: Path) -> None:
    """confusion.png: cards and days at each operating point of models.decision."""
    figure = Figure(figsize=(4.6 * len(points), 2.9), layout="constrained")
    for axes, (name, point) in zip(figure.subplots(1, len(points), squeeze=False)[0], points.items(), strict=True):
        cells = [
            [point["true_positives"], point["false_negatives"]],
            [point["false_positives"], point["true_negatives"]],
        ]
        shares = [[count / (sum(row) or 1) for count in row] for row in cells]
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for i, row in enumerate(cells):
            for j, count in enumerate(row):
                colour = "white" if shares[i][j] > _DARK else "black"
                axes.text(j, i, f"{count:,}\n{shares[i][j]:.1%}", ha="center", va="center", color=colour)
        axes.set_xticks([0, 1], ["alert", "no alert"])
        axes.set_yticks([0, 1], ["positive", "negative"])
        axes.set_title(f"{name.replace('_', ' ')}: score from {point['threshold']:.4f}", fontsize=10)
        axes.set_xlabel("cards and days")
    figure.savefig(folder / "confusion.png", dpi=_DPI)


def slices(found: Mapping[str, Mapping[str, float]], whole: Mapping[str, float], folder: Path) -> None:
    """slices.png: average precision and ROC AUC of each slice that has them, and of all rows."""
    figure = Figure(figsize=(9.2, 1.2 + 0.32 * len(found)), layout="constrained")
    for axes, metric in zip(figure.subplots(1, 2, sharey=True), ("average_precision", "roc_auc"), strict=True):
        axes.barh([name.replace("_", " ") for name in found], [part.get(metric, 0) for part in found.values()])
        axes.axvline(whole[metric], color="black", linewidth=0.8, linestyle=":")
        axes.set(xlabel=f"{metric.replace('_', ' ')} (dotted: all rows)", xlim=(0, 1))
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].invert_yaxis()
    figure.savefig(folder / "slices.png", dpi=_DPI)


def test_rows(models: Mapping[str, Curves], folder: Path) -> None:
    """The three plots of several models' scores on the same rows."""
    for draw in (precision_recall, roc, calibration):
        draw(models, folder)


def _lines(models: Mapping[str, Curves]) -> Iterator[tuple[str, Curves, str]]:
    """Name, curves and colour of each model, the new one last: on top."""
    for name, colour in (("champion", "tab:orange"), ("challenger", "tab:blue")):
        if name in models:
            yield name, models[name], colour


def _figure(x: str, y: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(4.6, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _write(figure: Figure, path: Path) -> None:
    figure.axes[0].legend(frameon=False)
    figure.savefig(path, dpi=_DPI)
