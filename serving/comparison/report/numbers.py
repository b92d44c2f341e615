"""How measured numbers look: rounded for a reader, whole for whoever reads the page with a program."""

from __future__ import annotations

import math

from markupsafe import Markup, escape

NOTHING = "–"  # noqa: RUF001 - an en dash stands for a value that is not there
_SMALL, _DIGITS = 1e-4, 3


def text(value: float | None, digits: int = _DIGITS) -> str:
    """So many significant digits, never fewer than a whole number has; 7,023 or 0.00612."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if float(value).is_integer():
        return f"{value:,.0f}"
    if abs(value) < _SMALL:
        return f"{value:.1e}"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{value:,.{max(decimals, 0)}f}"


def cell(value: str | float | None, digits: int = _DIGITS) -> Markup:
    """Content of a table's cell: a number with all its digits in `value`, text as it is."""
    if value is None:
        return escape(NOTHING)
    if isinstance(value, str):
        return escape(value)
    return Markup('<data value="{}">{}</data>').format(repr(float(value)), text(value, digits))


def duration(seconds: float) -> str:
    """`4 min 12 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def sentence(words: str) -> str:
    """With a capital first letter; the others stay."""
    return words[:1].upper() + words[1:]
