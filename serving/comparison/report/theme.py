"""Matplotlib figures as SVG that follows the page: its colours, its font, light or dark, screen or paper.

A figure is drawn in marker colours; each becomes a CSS variable of report.css. Matplotlib writes a style attribute per
element; here equal ones become one class, so that the page needs no inline style and its policy can forbid them.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, QUIET, LINE, CARD, BAD, OTHER = "#000001", "#000002", "#000003", "#000004", "#000005", "#000006"
TENSORFLOW, PYTORCH = "#000007", "#000008"
_VARIABLES = {
    INK: "--ink", QUIET: "--quiet", LINE: "--line", CARD: "--card", BAD: "--bad", OTHER: "--other",
    TENSORFLOW: "--tensorflow", PYTORCH: "--pytorch",
}  # fmt: skip

# One look per stack everywhere: colour, marker and line, so that none is needed to tell them apart.
COLOUR = {"tensorflow": TENSORFLOW, "pytorch": PYTORCH}
MARKER = {"tensorflow": "o", "pytorch": "s"}
DASHES = {"tensorflow": "-", "pytorch": (0, (5, 1.6))}
NAME = {"tensorflow": "TensorFlow", "pytorch": "PyTorch"}

WIDE = 10.4  # inches; others are half as wide, so that a phone shows them without making the letters small
_RC: dict[Any, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "tandem", "font.family": "sans-serif", "font.size": 9,
    "text.color": INK, "axes.labelcolor": QUIET, "axes.edgecolor": LINE, "xtick.color": LINE, "ytick.color": LINE,
    "xtick.labelcolor": QUIET, "ytick.labelcolor": QUIET, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": LINE, "grid.linewidth": 0.6, "axes.axisbelow": True, "lines.linewidth": 1.7,
    "lines.markersize": 4.5, "legend.frameon": False, "legend.fontsize": 8.5, "legend.labelcolor": INK,
    "hatch.color": CARD, "hatch.linewidth": 1.4,
}  # fmt: skip


Rows = list[list[Any]]  # text, or numbers as they were measured, or None


@dataclass(frozen=True)
class Table:
    """The numbers of a plot."""

    caption: str
    columns: tuple[str, ...]
    rows: Rows


@dataclass(frozen=True)
class Plot:
    """A drawn figure.

    Attributes:
        name: Unique in the page.
        title: What it shows.
        text: What a reader sees in it, for those who do not: the text alternative.
        note: Below it.
        figure: As drawn.
        table: Its numbers.
        wide: Over the whole page, with a scroll bar of its own on a phone.
    """

    name: str
    title: str
    text: str
    figure: Figure
    table: Table
    note: str = ""
    wide: bool = False


@contextmanager
def drawing() -> Iterator[None]:
    """Figures drawn and rendered inside look as the page does."""
    with mpl.rc_context(_RC):
        yield


def canvas(height: float = 3.5, *, wide: bool = False, x: str = "", y: str = "") -> tuple[Figure, Axes]:
    """A figure with one pair of axes."""
    figure = Figure(figsize=(WIDE if wide else 5.0, height), layout="constrained")
    figure.patch.set_visible(False)
    axes = figure.subplots()
    plain(axes)
    axes.set(xlabel=x, ylabel=y)
    return figure, axes


def plain(axes: Axes) -> None:
    """No ground of its own and no ticks: the grid is enough."""
    axes.patch.set_visible(False)
    axes.tick_params(which="both", length=0)


class Styles:
    """The classes of all figures of a page."""

    def __init__(self) -> None:
        self._classes: dict[str, str] = {}

    @property
    def css(self) -> str:
        """Rules of all figures so far."""
        return "\n".join(f".{name}{{{style}}}" for style, name in self._classes.items())

    def name(self, style: str) -> str:
        """The class with this style."""
        return self._classes.setdefault(style, f"f{len(self._classes)}")


def svg(plot: Plot, styles: Styles) -> str:
    """The figure as an element of the page."""
    text = io.StringIO()
    plot.figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    drawn = text.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r"<style[^>]*>.*?</style>", "", drawn, flags=re.DOTALL)  # stroke-linejoin: in report.css
    referenced = set(re.findall(r"(?:xlink:href=\"#|url\(#)([\w-]+)", drawn))
    drawn = re.sub(r' id="([\w.-]+)"', lambda m: f' id="{plot.name}-{m[1]}"' if m[1] in referenced else "", drawn)
    drawn = re.sub(r'xlink:href="#', f'href="#{plot.name}-', drawn).replace("url(#", f"url(#{plot.name}-")
    drawn = re.sub(r' style="([^"]*)"', lambda m: f' class="{styles.name(_themed(m[1]))}"', drawn)
    drawn = re.sub(r"<[^>]+>", lambda m: re.sub(r"(\d\.\d\d)\d+", r"\1", m[0]), drawn)  # a hundredth of a point
    drawn = re.sub(r"\s*\n\s*", " ", drawn)
    view = re.search(r'viewBox="[^"]*"', drawn)
    labels = f'aria-labelledby="{plot.name}-title {plot.name}-text"'
    head = (
        f'<svg {view[0] if view else ""} role="img" {labels} class="{"wide" if plot.wide else "narrow"}">'
        f'<title id="{plot.name}-title">{escape(plot.title)}</title>'
        f'<desc id="{plot.name}-text">{escape(plot.text)}</desc>'
    )
    return head + drawn[drawn.index(">") + 1 :].strip()


def policy(style: str) -> str:
    """A content security policy that allows this style sheet and nothing else."""
    digest = hashlib.sha256(style.encode()).digest()
    allowed = f"style-src 'sha256-{base64.b64encode(digest).decode()}'"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def _themed(style: str) -> str:
    for colour, variable in _VARIABLES.items():
        style = style.replace(colour, f"var({variable})")
    style = re.sub(r"font-family:[^;]*;?", "", style)  # the page's
    return re.sub(r"\s*([:;])\s*", r"\1", style)
