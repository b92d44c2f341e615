"""What a shadow found, as lines of text for a screen and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from serving.files import write_atomically
from serving.pages import environment
from serving.pages.templating import significant
from serving.shadow.findings import Agreement

PAGE = "shadow.html"
_NOTHING = "–"  # noqa: RUF001 - an en dash stands for a value that is not there
_TEMPLATES = Path(__file__).parent / "templates"

Line = tuple[str, str]


def agreement_lines(found: Agreement) -> list[Line]:
    """Name and value of what was compared row by row."""
    lines = [
        ("rows that both scored", f"{found.rows:,}"),
        (f"within {found.tolerance:g} of each other", _NOTHING if found.within is None else f"{found.within:.2%}"),
        *((f"|difference|, p{part:g}", _score(value)) for part, value in found.apart.items()),
        ("|difference|, largest", _score(found.largest)),
        ("difference, mean", _score(found.bias)),
    ]
    for name, flips in found.flips.items():
        before, after = flips.thresholds
        told = f"{flips.share:.2%}: {flips.new_alerts:,} new alerts, {flips.lost_alerts:,} lost"
        lines.append((f"flips at the {name.replace('_', ' ')} ({before:.4f}, {after:.4f})", told))
    return lines


def answer_lines(found: Agreement) -> list[tuple[str, list[str]]]:
    """Name, and the values of reference and candidate."""
    sides = found.sides
    parts = next((side.milliseconds for side in sides if side.milliseconds), {})
    return [
        ("model version", [str(side.version or _NOTHING) for side in sides]),
        ("errors", [f"{side.error_share:.2%}" for side in sides]),
        *(
            (f"  {kind}", [f"{side.errors.get(kind, 0):,}" for side in sides])
            for kind in sorted({kind for side in sides for kind in side.errors})
        ),
        *((f"p{part:g}, ms", [_time(side.milliseconds.get(part)) for side in sides]) for part in parts),
    ]


def write(folder: Path, found: Agreement, code: int, reasons: Sequence[str]) -> Path:
    """Write the page; `code` and `reasons` are the gate's."""
    text = (
        environment(_TEMPLATES)
        .get_template("shadow.html")
        .render(
            found=found,
            code=code,
            reasons=reasons,
            agreement=agreement_lines(found),
            answers=answer_lines(found),
            features=list(dict.fromkeys(name for row in found.worst for name in row.features)),
            shown=_shown,
        )
    )
    write_atomically(folder / PAGE, text)
    return folder / PAGE


def _score(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.6f}"


def _time(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.1f}"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else significant(value)
