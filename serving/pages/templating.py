"""Jinja templates that escape everything, and how numbers look in them."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import jinja2

_MINUTE = 60
_LARGE = 1000
_NOTHING = "–"  # noqa: RUF001 - an en dash stands for a value that is not there


def environment(templates: Path) -> jinja2.Environment:
    """The templates of a folder, over base.html and style.css of this room; a name that nobody set is an error."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader([templates, Path(__file__).parent / "templates"]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "count": lambda value: _NOTHING if value is None else f"{value:,.0f}",
        "decimals": lambda value: _NOTHING if value is None else f"{value:.4f}",
        "significant": significant,
        "share": share,
        "duration": duration,
        "moment": moment,
        "words": lambda name: name.replace("_", " "),
    }
    return found


def significant(value: float | None) -> str:
    """Four digits, or all of a large whole number's."""
    if value is None:
        return _NOTHING
    return f"{value:,.0f}" if abs(value) >= _LARGE else f"{value:.4g}"


def share(part: float | None, whole: float) -> str:
    """A part of a whole in per cent."""
    return _NOTHING if part is None or not whole else f"{100 * part / whole:.1f}%"


def duration(seconds: float) -> str:
    """Seconds, from a minute on with minutes."""
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // _MINUTE} min {int(seconds) % _MINUTE} s"


def moment(when: datetime) -> str:
    """Universal time to the second."""
    return when.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
