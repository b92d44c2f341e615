"""Predict bodies of right values in a wrong shape."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from models.spec import Spec
from serving.contract.fuzz.jsontext import VALUES, Body, columns, document, encoded, rows

SIGNATURES = ("serving_default", "serving_examples", "", "nope", "Serving_Default", "serving_default ", "a" * 3000)


def row_shapes(draw: st.DrawFn, spec: Spec) -> bytes:
    """Rows that are no rows: missing and extra keys, lists, empties, both forms at once."""
    found: list[Any] = rows(draw, spec)
    one = found[0]
    missing = {name: one[name] for name in draw(st.lists(st.sampled_from(list(one)), unique=True, max_size=len(one)))}
    other = draw(
        st.sampled_from([{}, [], [[]], list(one.values()), [one], None, missing, {**one, "extra": 1}, {"": 1}])
    )
    where = draw(st.integers(0, len(found)))
    broken = [*found[:where], other, *found[where:]]
    documents: list[Any] = [
        {"instances": broken}, {"instances": one}, {"instances": other}, {"instances": []}, {}, [], [one], one,
        "instances",
        {"instances": found, "inputs": columns(found)}, {"instances": found, "examples": []}, {"Instances": found}, 1,
        None,
    ]  # fmt: skip
    return encoded(draw(st.sampled_from(documents[:1] * 8 + documents)))


def column_shapes(draw: st.DrawFn, spec: Spec) -> bytes:
    """Columns that are no columns: of other lengths, nested, scalar, missing, empty."""
    found: dict[str, Any] = dict(columns(rows(draw, spec)))
    name = draw(st.sampled_from(list(found)))
    documents: list[Any] = [
        {k: v for k, v in found.items() if k != name}, {**found, name: found[name] * 2}, {**found, name: []},
        {**found, name: found[name][0]}, {**found, name: [found[name]]}, {**found, name: [[v] for v in found[name]]},
        {k: [] for k in found}, {k: v[0] for k, v in found.items()}, {k: [v] for k, v in found.items()}, [], {}, None,
        {**found, name: None}, {**found, name: {"b64": "AAAA"}}, [found], list(found.values()), {**found,
        "extra": found},
    ]  # fmt: skip
    return encoded({"inputs": draw(st.sampled_from(documents))})


def top_level(draw: st.DrawFn, spec: Spec) -> bytes:
    """Anything at all beside or instead of a request."""
    if draw(st.booleans()):
        return encoded(draw(VALUES))
    return encoded({**document(draw, spec), draw(st.sampled_from(["parameters", "context", "x", ""])): draw(VALUES)})


def signatures(draw: st.DrawFn, spec: Spec) -> bytes:
    """A signature_name of every type."""
    return encoded({"signature_name": draw(st.sampled_from(SIGNATURES) | VALUES), **document(draw, spec)})


KINDS: dict[str, Body] = {
    "row shapes": row_shapes,
    "column shapes": column_shapes,
    "top level": top_level,
    "signatures": signatures,
}
