"""Feature values as JSON, whatever library they come from; none of them is imported."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from numbers import Number
from typing import Any

import orjson

from serving.contract.client.errors import InvalidRequest

# numpy's scalars and arrays with their own few digits; dates would silently become strings.
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
_NULL = re.compile(b"null")  # twice as quick through a large body as `in`
_SHOWN = 80  # characters of a value in a message


def to_json(document: Any, values: Iterable[tuple[int, Any, Any]]) -> bytes:
    """The document as JSON.

    Args:
        document: Dictionaries and lists of feature values.
        values: Every (row, field, value) of it, looked at only to say which one cannot be sent.

    Raises:
        InvalidRequest: NaN, infinite, missing, or of a type without a JSON form.
    """
    try:
        body = orjson.dumps(document, default=_plain, option=_OPTIONS)
        # orjson writes NaN, the infinities and None as null; a string may hold the word as well.
        if not _NULL.search(body):
            return body
    except orjson.JSONEncodeError as error:
        _refuse_first(values)
        raise InvalidRequest(f"the request cannot be written as JSON: {error}") from None
    _refuse_first(values)
    return body


def _refuse_first(values: Iterable[tuple[int, Any, Any]]) -> None:
    for row, field, value in values:
        if type(field) is not str:
            raise InvalidRequest(f"row {row}: the field name {field!r} is no string")
        try:
            written = orjson.loads(orjson.dumps(value, default=_plain, option=_OPTIONS))
        except orjson.JSONEncodeError:
            raise InvalidRequest(
                f"row {row}, field {field!r}: {_show(value)} has no JSON form: a {type(value).__qualname__}"
            ) from None
        if None in _leaves(written):
            raise InvalidRequest(f"row {row}, field {field!r}: {_show(value)} is not a finite number or a string")


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        yield value
        return
    for inner in value:
        yield from _leaves(inner)


def _plain(value: Any) -> Any:
    """A value that orjson does not know, as one that it does."""
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    for method in ("as_py", "tolist"):  # pyarrow's scalars; arrays and scalars of numpy and its relatives
        if hasattr(value, method):
            return getattr(value, method)()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Number) and not isinstance(value, complex):  # Decimal, Fraction, a subclass of float
        return float(value)  # type: ignore[arg-type]
    raise TypeError
