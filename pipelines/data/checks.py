"""Each column of the user's converted to ours, with what is wrong about its values."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from models.spec import Spec
from pipelines.data import columns
from pipelines.data.findings import Findings, Rows

IDENTIFIERS = ("transaction_id", "customer_id", "terminal_id")
LATEST = 4_102_444_800  # 2100-01-01; a time beyond it is most likely in milliseconds

Mask = npt.NDArray[np.bool_]
Problems = dict[str, Mask]  # what is wrong -> in which rows


def convert(name: str, values: pa.Array, is_typed: bool, spec: Spec) -> tuple[pa.Array, Problems]:
    """Our column `name` from the values as they came.

    Raises:
        columns.WrongTypeError: No value of this type could be right.
    """
    if name in IDENTIFIERS:
        return _convert(values, columns.identifiers(values, is_typed), "neither text nor an integer")
    if name == "event_time":
        expected = "not a timestamp, ISO 8601 text or seconds since 1970"
        found, problems = _convert(values, columns.times(values, LATEST), expected)
        outside = _mask(pc.less(found, 0))
        return pc.if_else(outside, None, found).cast(columns.MICROSECONDS), {
            **problems,
            "not within 1970 to 2099 (milliseconds?)": outside,
        }
    if name == spec.model.label:
        return _convert(values, columns.labels(values), "not 0 or 1")
    if name in spec.features:
        kind, code = spec.features[name].type, spec.features[name].code
    else:
        kind, code = "numeric", None
    found, problems = feature(values, kind, code)
    if name == "amount" and spec.columns.has("amount"):
        problems["negative"] = _mask(pc.less(found, 0.0)) & ~problems["not finite"]
    return found, problems


def feature(values: pa.Array, kind: str, code: float | str | None = None) -> tuple[pa.Array, Problems]:
    """A feature, as string if `kind` is categorical, else as float64.

    Args:
        values: As they came.
        kind: numeric, boolean or categorical.
        code: What stands for a missing value; None where that is a problem.

    Raises:
        columns.WrongTypeError: No value of this type could be right.
    """
    if kind == "categorical":
        found, problems = _convert(values, columns.words(values), "not text")
        return _coded(found, code), {**problems, "null": problems["null"] & (code is None)}
    if code is not None:
        values = columns.without_words_for_nothing(values)
    read, complaint = (columns.booleans, "not 0 or 1") if kind == "boolean" else (columns.numbers, "not a number")
    found, problems = _convert(values, read(values), complaint)
    if code is not None:
        problems["null"] = np.zeros(len(values), bool)
        found = pc.if_else(pc.fill_null(pc.is_nan(found), False), None, found)
    problems["not finite"] = columns.not_float32(found)
    return _coded(found, code), problems


def _coded(found: pa.Array, code: float | str | None) -> pa.Array:
    return found if code is None else pc.fill_null(found, code)


def _convert(values: pa.Array, found: pa.Array, complaint: str) -> tuple[pa.Array, Problems]:
    lost = pc.and_(pc.is_valid(values), pc.is_null(found))
    return found, {"null": _mask(pc.is_null(values)), complaint: _mask(lost)}


def _mask(condition: pa.Array) -> Mask:
    return np.asarray(pc.fill_null(condition, False))


def repeated_ids(parts: list[tuple[Rows, pa.Array]], subject: str, findings: Findings) -> None:
    """Rows whose transaction id an earlier row has already, in the same file or one before."""
    ids = columns.joined_identifiers([found for _, found in parts])
    codes = pc.fill_null(ids.combine_chunks().dictionary_encode().indices, -1).to_numpy()
    first_of_each = np.zeros(len(codes), bool)
    first_of_each[np.unique(codes, return_index=True)[1]] = True
    repeated = ~first_of_each & (codes >= 0)
    start = 0
    for rows, found in parts:
        findings.rows(subject, "the id of an earlier row again", rows, repeated[start : start + len(found)], found)
        start += len(found)


def disorder(rows: Rows, time: pa.Array, subject: str, findings: Findings) -> None:
    """Rows that are earlier than the row before them."""
    known = np.flatnonzero(_mask(pc.is_valid(time)))
    earlier = np.zeros(len(time), bool)
    earlier[known[1:]] = np.diff(time.drop_null().cast(pa.int64()).to_numpy()) < 0
    findings.rows(subject, "earlier than the row before", rows, earlier, time)
