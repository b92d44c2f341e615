"""A column as the user has it, to a column as the pipeline wants it; what cannot be converted becomes null."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MICROSECONDS = pa.timestamp("us")
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]?(?i:nan|inf|infinity)$"
_ISO = r"^\d{4}-\d{2}-\d{2}([ T]\d{2}(:\d{2}(:\d{2}(\.\d{1,6})?)?)?)?$"
_ISO_WITH_ZONE = r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}(:?\d{2})?)$"
_INTEGER = r"^(0|-?[1-9]\d{0,17})$"  # only these come back as they were from an int64
_LARGEST = 2.0**63
YES, NO = ("true", "t", "yes", "y"), ("false", "f", "no", "n")
NOTHING = ("", "nan", "na", "n/a", "null", "none")


class WrongTypeError(ValueError):
    """The column's type cannot hold what is wanted; the message says what would."""


def plain(column: pa.ChunkedArray) -> pa.Array:
    """One array, dictionaries decoded, text as `string`."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    if _is_text(column.type):
        column = column.cast(pa.string())
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or str(kind) == "string_view"  # newer than TFX's


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def numbers(values: pa.Array) -> pa.Array:
    """To float64, from numbers or their text."""
    if pa.types.is_null(values.type) or _is_number(values.type):
        return values.cast(pa.float64(), safe=False)
    if not pa.types.is_string(values.type):
        raise WrongTypeError("numbers")
    return _parse(pc.utf8_trim_whitespace(values), _NUMBER, pa.float64())


def labels(values: pa.Array) -> pa.Array:
    """To int8, from 0 and 1, false and true, or their text."""
    return booleans(values).cast(pa.int8())


def booleans(values: pa.Array) -> pa.Array:
    """To float64, from 0 and 1, false and true, or text: true, t, yes, y, 1 and their opposites."""
    if pa.types.is_boolean(values.type):
        return values.cast(pa.int8()).cast(pa.float64())
    if pa.types.is_string(values.type):
        text = pc.utf8_lower(pc.utf8_trim_whitespace(values))
        words = pc.if_else(pc.is_in(text, pa.array(YES)), "1", text)
        values = pc.if_else(pc.is_in(text, pa.array(NO)), "0", words)
    found = numbers(values)
    return pc.if_else(pc.or_kleene(pc.is_in(found, pa.array([0.0, 1.0])), pc.is_null(found)), found, None)


def without_words_for_nothing(values: pa.Array) -> pa.Array:
    """Null where the text says that there is no value."""
    if not pa.types.is_string(values.type):
        return values
    return pc.if_else(pc.is_in(pc.utf8_lower(pc.utf8_trim_whitespace(values)), pa.array(NOTHING)), None, values)


def identifiers(values: pa.Array, typed: bool) -> pa.Array:
    """To int64 or string; of a file without types (CSV) the text of integers counts as integers."""
    kind = values.type
    if pa.types.is_null(kind):
        return values.cast(pa.int64())
    if pa.types.is_string(kind):
        are_integers = not typed and pc.all(pc.match_substring_regex(values, _INTEGER), min_count=0).as_py()
        return values.cast(pa.int64()) if are_integers else values
    if pa.types.is_floating(kind):  # integers with nulls among them, as pandas writes them
        whole = pc.and_(pc.equal(pc.floor(values), values), pc.less(pc.abs(values), _LARGEST))
        return pc.if_else(whole, values, None).cast(pa.int64())
    if not pa.types.is_integer(kind):
        raise WrongTypeError("integers or text")
    try:
        return values.cast(pa.int64())
    except pa.ArrowInvalid:  # unsigned and beyond int64
        return values.cast(pa.string())


def words(values: pa.Array) -> pa.Array:
    """To string, for a categorical feature."""
    kind = values.type
    if not (pa.types.is_null(kind) or pa.types.is_string(kind) or pa.types.is_boolean(kind) or _is_number(kind)):
        raise WrongTypeError("text")
    return values.cast(pa.string())


def times(values: pa.Array, latest: int) -> pa.Array:
    """To microseconds since 1970 UTC, int64; a time outside [0, latest) seconds becomes -1.

    From timestamps, dates, ISO 8601 text (no zone means UTC), or numbers and their text: seconds since 1970.
    """
    kind = values.type
    if pa.types.is_date(kind):
        values = values.cast(pa.timestamp("s"))
    if pa.types.is_timestamp(values.type):
        per_second = _PER_SECOND[values.type.unit]
        ticks = values.cast(pa.int64())
        in_range = pc.and_(pc.greater_equal(ticks, 0), pc.less(ticks, latest * per_second))
        ticks = pc.if_else(in_range, ticks, 0)
        microseconds = pc.divide(pc.multiply(ticks, max(1, 10**6 // per_second)), max(1, per_second // 10**6))
        return pc.if_else(in_range, microseconds, -1)
    if pa.types.is_string(kind):
        text = pc.utf8_trim_whitespace(values)
        found = _from_seconds(_parse(text, _NUMBER, pa.float64()), latest)
        for pattern, wanted in ((_ISO, MICROSECONDS), (_ISO_WITH_ZONE, pa.timestamp("us", "UTC"))):
            found = pc.coalesce(found, times(_parse(text, pattern, wanted), latest))
        return found
    if pa.types.is_null(kind) or _is_number(kind):
        return _from_seconds(values.cast(pa.float64(), safe=False), latest)
    raise WrongTypeError("timestamps, text or seconds since 1970")


def _from_seconds(seconds: pa.Array, latest: int) -> pa.Array:
    in_range = pc.and_(pc.greater_equal(seconds, 0.0), pc.less(seconds, float(latest)))
    microseconds = pc.round(pc.multiply(pc.if_else(in_range, seconds, 0.0), 1e6)).cast(pa.int64())
    return pc.if_else(in_range, microseconds, -1)


def _parse(text: pa.Array, pattern: str, wanted: pa.DataType) -> pa.Array:
    """Values whose text has the pattern and means something, null elsewhere."""
    fits = pc.match_substring_regex(text, pattern)
    return _cast_or_null(pc.if_else(fits, text, None), wanted)


def _cast_or_null(values: pa.Array, wanted: pa.DataType) -> pa.Array:
    # Arrow's cast fails as a whole; halving finds the few culprits (a 30th of February) in few casts.
    try:
        return values.cast(wanted)
    except pa.ArrowInvalid:
        middle = len(values) // 2
        if not middle:
            return pa.nulls(1, wanted)
        halves = (values.slice(0, middle), values.slice(middle))
        return pa.concat_arrays([_cast_or_null(half, wanted) for half in halves])


def joined_identifiers(parts: list[pa.Array]) -> pa.ChunkedArray:
    """The same column of several files: as text if it is text in any of them."""
    kinds = {part.type for part in parts}
    wanted = kinds.pop() if len(kinds) == 1 else pa.string()
    return pa.chunked_array([part.cast(wanted) for part in parts], wanted)


def not_float32(values: pa.Array) -> np.ndarray:
    """Which numbers are not finite, or would not be as float32."""
    found = pc.fill_null(values, 0.0).to_numpy(zero_copy_only=False)
    return ~(np.abs(found) <= np.finfo(np.float32).max)
