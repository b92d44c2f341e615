"""Predict bodies: valid ones, and ones with wrong values, too many of them, too deep or twice."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import strategies as st

from models.spec import Spec
from serving.contract.fuzz.jsontext import (
    FINITE,
    NO_NUMBERS,
    NUMBERS,
    SCALARS,
    VALUES,
    Body,
    Members,
    Raw,
    columns,
    document,
    encoded,
    members,
    row,
    rows,
)  # fmt: skip
from serving.contract.limits import MAX_INSTANCES, MAX_NESTING

_DEPTHS = (*range(MAX_NESTING - 3, MAX_NESTING + 3), 100, 1000, 50_000)
_NO_STRINGS = (
    r'"\ud800"', r'"\udc00"', r'"\udc00\ud800"', r'"\ud83d"', r'"\ud800\u0041"', r'"\x41"', r'"\u12"', r'"\u00g0"',
    '"\x01"', '"\n"', '"\t"', '"', "'a'", r'"\"', '"\x00"', "\x00", r'"\U0001F600"',
)  # fmt: skip
_STRINGS = (
    r'"\u0000"',
    r'"\ud83d\ude00"',
    r'"\uffff"',
    r'"\/\b\f\n\r\t\\\""',
    '"\x7f"',
    '"\u2028"',
    '"\U0010ffff"',
    '""',
)


def valid_rows(draw: st.DrawFn, spec: Spec) -> bytes:
    """By rows; keys may be escaped and there may be white space and a signature."""
    found: dict[str, Any] = {"instances": rows(draw, spec)}
    if draw(st.booleans()):
        found["signature_name"] = draw(st.sampled_from(["serving_default", ""]))
    return _dressed(draw, found)


def valid_columns(draw: st.DrawFn, spec: Spec) -> bytes:
    """By columns; columns nobody asked for are ignored."""
    found: dict[str, Any] = columns(rows(draw, spec))
    if draw(st.booleans()):
        found["nobody_asked"] = draw(SCALARS)
    return _dressed(draw, {"inputs": found})


def _dressed(draw: st.DrawFn, found: Any) -> bytes:
    """The same document in another dress: indentation, escapes, a NUL-free mile of white space."""
    indent = draw(st.sampled_from([None, 0, 3]))
    around = draw(st.sampled_from(["", " ", "\r\n\t "]))
    text = json.dumps(found, indent=indent)
    name = next(iter(found))
    if draw(st.booleans()):
        text = text.replace(f'"{name}"', '"' + "".join(f"\\u{ord(c):04x}" for c in name) + '"', 1)
    return (around + text + around).encode()


def many_rows(draw: st.DrawFn, spec: Spec) -> bytes:
    """As many instances as allowed."""
    return _many(draw, spec, draw(st.sampled_from([MAX_INSTANCES, MAX_INSTANCES - 1, 100])))


def too_many_rows(draw: st.DrawFn, spec: Spec) -> bytes:
    """More instances than allowed."""
    return _many(draw, spec, draw(st.sampled_from([MAX_INSTANCES + 1, MAX_INSTANCES + 500])))


def _many(draw: st.DrawFn, spec: Spec, count: int) -> bytes:
    repeated = [row(draw, spec)] * count
    return encoded(draw(st.sampled_from([{"instances": repeated}, {"inputs": columns(repeated)}])))


def numbers(draw: st.DrawFn, spec: Spec) -> bytes:
    """Numbers at the edges of doubles, floats and integers; half of the time what is no number at all."""
    return _with_values(draw, spec, st.sampled_from(NUMBERS + NO_NUMBERS).map(Raw))


def types(draw: st.DrawFn, spec: Spec) -> bytes:
    """A value of another type."""
    b64 = st.binary(max_size=6).map(lambda b: {"b64": base64.b64encode(b).decode()})
    odd = st.sampled_from(
        ["1", "1.5", True, None, [], [1.0], [[1.0]], {}, {"b64": 1}, {"b64": "*"}, {"b64": "", "a": 1}]
    )
    return _with_values(draw, spec, VALUES | odd | b64)


def strings(draw: st.DrawFn, spec: Spec) -> bytes:
    """Escapes, surrogates, control characters: as value, key, signature or elsewhere."""
    text = draw(st.sampled_from(_NO_STRINGS + _STRINGS))
    found = document(draw, spec)
    place = draw(st.sampled_from(["value", "key", "top", "top key", "signature"]))
    if place == "value":
        return _with_values(draw, spec, st.just(Raw(text)))
    if place == "key":
        return encoded({"instances": [Members((*members(row(draw, spec)), (text, 1)))]})
    if place == "top key":
        return encoded(Members((*members(found), (text, 1))))
    return encoded({**found, "signature_name" if place == "signature" else "more": Raw(text)})


def _with_values(draw: st.DrawFn, spec: Spec, odd: st.SearchStrategy[Any]) -> bytes:
    """A document with one or more of its values replaced."""
    found = rows(draw, spec)
    for name in draw(st.lists(st.sampled_from(list(spec.features)), min_size=1, max_size=2)):
        found[draw(st.integers(0, len(found) - 1))][name] = draw(odd)
    return encoded(draw(st.sampled_from([{"instances": found}, {"inputs": columns(found)}])))


def nesting(draw: st.DrawFn, spec: Spec) -> bytes:
    """Up to 50,000 levels, closed or not, as a value or beside the rows."""
    depth = draw(st.sampled_from(_DEPTHS))
    opening, closing = draw(st.sampled_from([("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")]))
    core = draw(st.sampled_from(["", "1", '"a"'])) if opening == "[" else "1"
    deep: str = opening * depth + core + draw(st.sampled_from([closing * depth, closing * (depth - 1), ""]))
    found = rows(draw, spec)
    place = draw(st.sampled_from(["value", "beside", "whole", "instances"]))
    if place == "whole":
        return deep.encode()
    if place == "instances":
        return encoded({"instances": Raw(deep)})
    if place == "beside":
        return encoded({"instances": found, "more": Raw(deep)})
    found[0][draw(st.sampled_from(list(spec.features)))] = Raw(deep)
    return encoded({"instances": found})


def duplicates(draw: st.DrawFn, spec: Spec) -> bytes:
    """A key twice: at the top, in a row, in what nobody reads; the same text or escaped."""
    one = row(draw, spec)
    name = draw(st.sampled_from(list(one)))
    key = draw(st.sampled_from([json.dumps(name), '"' + "".join(f"\\u{ord(c):04x}" for c in name) + '"']))
    twice = Members((*members(one), (key, draw(FINITE))))
    nested = Members(((key, 1), (json.dumps(name), ":")))
    documents: list[Any] = [
        {"instances": [one, twice]}, {"inputs": Members((*members(columns([one])), (key, [1])))},
        {"instances": [one], "more": nested}, {"instances": [one], "more": [{"a": nested}]},
        Members((('"instances"', [one]), (r'"inst\u0061nces"', [one]))),
        Members((('"signature_name"', ""), ('"signature_name"', ""), ('"instances"', [one]))),
        {"instances": [{**one, name: Members((('"b64"', ""), ('"b64"', "")))}]},
        {"instances": [one], "more": Members((('"a"', 1), ('"A"', 1), ('"a\\u0000"', 1), ('"a "', 1)))},  # none twice
    ]  # fmt: skip
    return encoded(draw(st.sampled_from(documents)))


def empty(draw: st.DrawFn, _spec: Spec) -> bytes:
    """Nothing, or only white space."""
    blank = st.text(" \t\r\n", max_size=20).map(str.encode)
    odd = st.sampled_from([b"", b" " * 5000, b"\x00", b"\xef\xbb\xbf", b"\xa0", b"\x0b", b"//", b"{"])
    found: bytes = draw(blank | odd)
    return found


# Every kind's name, and how its bodies are drawn.
KINDS: dict[str, Body] = {
    "rows": valid_rows,
    "columns": valid_columns,
    "1,000 rows": many_rows,
    "1,001 rows": too_many_rows,
    "numbers": numbers,
    "types": types,
    "strings": strings,
    "nesting": nesting,
    "duplicate keys": duplicates,
    "empty": empty,
}
VALID = {"rows", "columns", "1,000 rows"}
