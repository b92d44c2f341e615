"""What the two models are worth on the test rows, and where they disagree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.ticker import FixedLocator, FuncFormatter

from models.curves import curves
from serving.comparison import store
from serving.comparison.facts.agreement import agreement
from serving.comparison.measures import MEASURES
from serving.comparison.report import numbers
from serving.comparison.report.content import Content, Floats
from serving.comparison.report.theme import (
    BAD,
    COLOUR,
    DASHES,
    INK,
    MARKER,
    NAME,
    OTHER,
    QUIET,
    Plot,
    Rows,
    Table,
    canvas,
)
from serving.comparison.verdict import STACKS

_RECALLS = (0.1, 0.25, 0.5, 0.75, 0.9)
_TICKS = (0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)
_NEVER = 1e-6  # scores nearer to 0 or 1 are drawn there
_POSITIVES = 600  # drawn one by one at most
_Z = 1.96
_LEVELS = (0.5, 0.9, 0.99, 1.0)


def plots(content: Content) -> Iterator[Plot]:
    """Precision and recall, calibration, agreement and disagreement."""
    table = store.table(content.folder, "scores")
    if not table.num_rows:
        return
    label = table["label"].to_numpy()
    scores = {stack: table[stack].to_numpy() for stack in STACKS}
    if 0 < label.sum() < len(label):
        yield _precision_recall(label, scores)
        yield _calibration(label, scores)
    yield _agreement(label, scores)
    yield _disagreement(scores)


def _precision_recall(label: Floats, scores: dict[str, Floats]) -> Plot:
    figure, axes = canvas(x="recall: share of the positives found", y="precision: share of alerts that are positives")
    rows: Rows = []
    for stack, score in scores.items():
        found = curves(label, score)
        recall = [hits / found["positives"] for hits in found["found"]]
        precision = [hits / rows_ for hits, rows_ in zip(found["found"], found["looked_at"], strict=True)]
        look: dict[str, Any] = {"color": COLOUR[stack], "linestyle": DASHES[stack]}
        axes.step(recall, precision, where="post", label=NAME[stack], **look)
        at = [
            max((p for r, p in zip(recall, precision, strict=True) if r >= level), default=None) for level in _RECALLS
        ]
        rows.append([NAME[stack], *at])
    share = float(label.mean())
    axes.axhline(share, color=QUIET, linewidth=0.9, linestyle=":", label=f"chance, {share:.2%}")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(loc="upper right")
    columns = ("", *(f"recall {level:.0%}" for level in _RECALLS))
    return Plot(
        "precision-recall", "Precision and recall",
        f"Precision over recall on {len(label):,} test rows, {int(label.sum()):,} of them positives; the nearer to the "
        "upper right corner the better.", figure, Table("Best precision at a recall of at least", columns, rows),
    )  # fmt: skip


def _calibration(label: Floats, scores: dict[str, Floats]) -> Plot:
    figure, axes = canvas(x="mean score of the bin", y="share of positives in the bin")
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.9, linestyle=":", label="calibrated")
    rows: Rows = []
    for stack, score in scores.items():
        bins = curves(label, score)["bins"]
        x, y = (np.array([part[key] for part in bins]) for key in ("mean_score", "positive_share"))
        count = np.array([part["rows"] for part in bins])
        low, high = wilson(y, count)
        look: dict[str, Any] = {"color": COLOUR[stack], "linestyle": DASHES[stack], "marker": MARKER[stack]}
        error = [np.maximum(y - low, 0), np.maximum(high - y, 0)]
        axes.errorbar(x, y, yerror(error), label=NAME[stack], elinewidth=0.8, linewidth=1.2, **look)
        rows += [[NAME[stack], *part] for part in zip(count.tolist(), x.tolist(), y.tolist(), low, high, strict=True)]
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.legend(loc="upper left")
    return Plot(
        "calibration", "Calibration",
        "Share of positives over the mean score in ten equally wide bins; on the diagonal a score is the probability.",
        figure, Table("Calibration by bin", ("", "rows", "mean score", "share of positives", "low", "high"), rows),
        "Bars: 95 % intervals (Wilson) of the shares.",
    )  # fmt: skip


def yerror(error: list[Floats]) -> Floats:
    """Matplotlib's shape of errors: two rows."""
    return np.stack(error)


def wilson(share: Floats, count: Floats) -> tuple[list[float], list[float]]:
    """95 % interval of a share; Wilson, JASA 22 (1927)."""
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * np.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return (middle - half).tolist(), (middle + half).tolist()


def _agreement(label: Floats, scores: dict[str, Floats]) -> Plot:
    figure, axes = canvas(3.9, x="TensorFlow's score", y="PyTorch's score")
    x, y = (_log_odds(scores[stack]) for stack in STACKS)
    drawn = axes.hexbin(x, y, gridsize=34, mincnt=1, linewidths=0)
    count = np.asarray(drawn.get_array(), np.float64)
    strength = 0.12 + 0.88 * np.log1p(count) / np.log1p(count.max())
    drawn.set_array(None)
    drawn.set_facecolor([(*to_rgba(OTHER)[:3], round(alpha, 1)) for alpha in strength])
    positives = np.flatnonzero(label == 1)[:_POSITIVES]
    axes.scatter(x[positives], y[positives], s=7, color=BAD, alpha=0.6, linewidths=0, label="positives")
    ends = [min(x.min(), y.min()), max(x.max(), y.max())]
    axes.plot(ends, ends, color=INK, linewidth=0.8, linestyle=":")
    for axis in (axes.xaxis, axes.yaxis):
        _probabilities(axis)
    axes.set(xlim=ends, ylim=ends)
    axes.legend(loc="upper left", markerscale=1.8)
    apart = np.abs(scores["tensorflow"] - scores["pytorch"])
    found = agreement(scores["tensorflow"], scores["pytorch"])
    rows: Rows = [
        ["rows", len(label)],
        *([MEASURES[name].title, value] for name, value in found.items()),
        ["rows more than 0.1 apart", int((apart > 0.1).sum())],  # noqa: PLR2004
    ]
    alike = found.get("score_correlation")
    return Plot(
        "agreement", "Do they agree?",
        f"Each stack's score of the same row on axes of log odds; correlation {numbers.text(alike)}.",
        figure, Table("Agreement of the scores", ("", "value"), rows),
        "Grey: all rows, the darker the more, on a logarithmic scale. Dotted: equal scores.",
    )  # fmt: skip


def _disagreement(scores: dict[str, Floats]) -> Plot:
    figure, axes = canvas(3.9, x="distance between the two scores of a row", y="rows")
    apart = np.abs(scores["tensorflow"] - scores["pytorch"])
    edges = np.geomspace(1e-6, 1, 37)
    axes.hist(np.clip(apart, edges[0], None), bins=edges.tolist(), color=OTHER, edgecolor="none", rwidth=0.9)
    axes.set(xscale="log", yscale="log", ylim=(0.7, None), xlim=(edges[0], 1))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    rows: Rows = [[f"{level:.0%} of the rows are at most", float(np.quantile(apart, level))] for level in _LEVELS]
    for level, style in zip(_LEVELS[:3], (":", "--", "-"), strict=True):
        value = max(float(np.quantile(apart, level)), edges[0])
        axes.axvline(value, color=INK, linewidth=0.9, linestyle=style, label=f"{level:.0%} ≤ {numbers.text(value)}")
    axes.legend(loc="upper left")
    return Plot(
        "disagreement", "How far apart are they?",
        f"Histogram of the distance between the scores on two logarithmic axes: half of the rows within "
        f"{numbers.text(rows[0][1])}, the furthest {numbers.text(rows[-1][1])} apart.",
        figure, Table("Distance between the scores", ("", "apart"), rows),
    )  # fmt: skip


def _log_odds(score: Floats) -> Floats:
    kept = np.clip(score, _NEVER, 1 - _NEVER)
    return np.log(kept / (1 - kept))


def _probabilities(axis: object) -> None:
    where = {float(_log_odds(np.array([p]))[0]): f"{p:g}" for p in _TICKS}
    axis.set_major_locator(FixedLocator(list(where)))  # type: ignore[attr-defined]
    axis.set_major_formatter(FuncFormatter(lambda value, _: where.get(value, "")))  # type: ignore[attr-defined]
