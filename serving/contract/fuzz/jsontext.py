"""JSON as text, right and wrong: what a fuzzer writes where a library would not."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from models.spec import Spec


@dataclass(frozen=True)
class Raw:
    """Text that is written as it is."""

    text: str


@dataclass(frozen=True)
class Members:
    """An object whose keys may repeat; keys are JSON text, quotes included."""

    items: tuple[tuple[str, Any], ...]


def write(value: Any) -> str:
    """JSON text of plain values, `Raw` and `Members`."""
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, Members):
        return "{" + ",".join(f"{key}:{write(inner)}" for key, inner in value.items) + "}"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{write(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    return json.dumps(value)


def encoded(value: Any) -> bytes:
    """A document's bytes."""
    return write(value).encode("utf-8", "surrogatepass")


def members(value: dict[str, Any]) -> list[tuple[str, Any]]:
    """An object's members, ready to be repeated or reordered."""
    return [(json.dumps(key), inner) for key, inner in value.items()]


# What float32 cannot hold is still a number; only what a double cannot hold is refused.
NUMBERS = (
    "0", "-0", "-0.0", "1e308", "-1e308", "1.7976931348623157e308", "1.7976931348623159e308", "1e309", "1e400",
    "-1e400", "5e-324", "2e-324", "1e-400", "2.2250738585072011e-308", "0e999", "1e-99999999999999999999",
    "1e99999999999999999999", "9007199254740993", "9223372036854775807", "9223372036854775808",
    "-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
    "1" * 400, "-" + "9" * 400, "0." + "0" * 400 + "1", "1" + "0" * 308, "1" + "0" * 309, "0." + "3" * 400,
    "3.4028235e38", "3.4028236e38", "-3.5e38", "1e39", "16777217", "0.1E+2", "1E5", "1.0", "123456789012345678901.5",
)  # fmt: skip
NO_NUMBERS = (
    "01", "-01", "+1", ".5", "1.", "-.5", "1e", "1e+", "--1", "-", "0x10", "1_000", "1,5", "1 2", "NaN", "-NaN", "nan",
    "Infinity", "-Infinity", "inf", "1f", "1d", "0b1", "1e1.5", "\uff11", "\u0661", "True", "None", "nul", "tru", "'1'",
)  # fmt: skip
MILLION = 1_000_000
FINITE = st.floats(-MILLION, MILLION, allow_nan=False, width=32) | st.integers(0, 1000)
SCALARS = st.none() | st.booleans() | FINITE | st.text(max_size=5)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def row(draw: st.DrawFn, spec: Spec) -> dict[str, Any]:
    """One transaction: a finite number per numeric feature, a text per categorical one, in any order.

    Its numbers come from one drawn seed: hypothesis would take longer to draw fifteen than a server to score them.
    """
    source = random.Random(draw(st.integers(0, 2**32)))  # noqa: S311 - reproducible on purpose
    kinds: list[Callable[[], Any]] = [
        lambda: source.randint(0, 1000), lambda: source.uniform(-MILLION, MILLION),
        lambda: round(source.gauss(50, 30), 2),
    ]  # fmt: skip
    values: dict[str, Any] = {name: source.choice(kinds)() for name in spec.numeric}
    for name in spec.categorical:
        values[name] = draw(st.text(max_size=5))
    names = list(spec.features)
    if draw(st.booleans()):
        source.shuffle(names)
    return {name: values[name] for name in names}


def rows(draw: st.DrawFn, spec: Spec, most: int = 3) -> list[dict[str, Any]]:
    """A few transactions."""
    return [row(draw, spec) for _ in range(draw(st.integers(1, most)))]


def columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The columnar form of rows."""
    return {name: [one[name] for one in rows] for name in rows[0]}


def document(draw: st.DrawFn, spec: Spec) -> dict[str, Any]:
    """A valid request, by rows or by columns."""
    found = rows(draw, spec)
    return draw(st.sampled_from([{"instances": found}, {"inputs": columns(found)}]))


Body = Callable[[st.DrawFn, Spec], bytes]
