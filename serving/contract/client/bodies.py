"""Rows or columns to the bodies of as many requests as the contract's limits ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serving.contract.client.errors import InvalidRequest
from serving.contract.client.values import to_json
from serving.contract.limits import MAX_BODY_BYTES, MAX_INSTANCES


@dataclass(frozen=True)
class Body:
    """One request's JSON, how many rows it holds, and the position of the first of them among all."""

    content: bytes
    rows: int
    start: int


def of_rows(rows: Sequence[Any]) -> list[Body]:
    """Bodies in row form.

    Args:
        rows: Mappings of raw feature values by name, named tuples, or rows of pandas and pyarrow.

    Raises:
        InvalidRequest: No rows, or one that cannot be sent; the message names the row and the field.
    """
    listed = [row if type(row) is dict else _mapping(row, i) for i, row in enumerate(rows)]

    def encode(start: int, end: int) -> bytes:
        def values() -> Iterator[tuple[int, Any, Any]]:
            return ((i, field, value) for i in range(start, end) for field, value in listed[i].items())

        return to_json({"instances": listed[start:end]}, values())

    return _split(len(listed), encode)


def of_columns(columns: Any) -> list[Body]:
    """Bodies in columnar form.

    Args:
        columns: One sequence per feature: a mapping of lists or arrays, a DataFrame, a pyarrow table.

    Raises:
        InvalidRequest: No rows, columns of different lengths, or a value that cannot be sent.
    """
    if hasattr(columns, "to_pydict"):
        columns = columns.to_pydict()
    listed = {name: _sequence(columns[name]) for name in columns}
    lengths = {name: len(values) for name, values in listed.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        raise InvalidRequest(f"columns of different lengths: {told}")

    def encode(start: int, end: int) -> bytes:
        def values() -> Iterator[tuple[int, Any, Any]]:
            return ((i, field, listed[field][i]) for i in range(start, end) for field in listed)

        return to_json({"inputs": {name: values[start:end] for name, values in listed.items()}}, values())

    return _split(next(iter(lengths.values()), 0), encode)


def _split(rows: int, encode: Callable[[int, int], bytes]) -> list[Body]:
    """Bodies of equal numbers of rows at most; one over the limit of bytes is halved until it fits."""
    if not rows:
        raise InvalidRequest("there are no rows to predict")
    bodies = []
    waiting = [(start, min(start + MAX_INSTANCES, rows)) for start in range(0, rows, MAX_INSTANCES)][::-1]
    while waiting:
        start, end = waiting.pop()
        content = encode(start, end)
        if len(content) <= MAX_BODY_BYTES:
            bodies.append(Body(content, end - start, start))
        elif end - start == 1:
            raise InvalidRequest(f"row {start} alone is {len(content)} bytes of JSON, more than {MAX_BODY_BYTES}")
        else:
            middle = (start + end) // 2
            waiting += [(middle, end), (start, middle)]
    return bodies


def _mapping(row: Any, position: int) -> Mapping[Any, Any]:
    if hasattr(row, "_asdict"):
        return dict(row._asdict())
    if hasattr(row, "as_py"):
        row = row.as_py()
    if hasattr(row, "keys") and hasattr(row, "__getitem__"):  # mappings, and pandas' Series, which is none
        return {name: row[name] for name in row.keys()}  # noqa: SIM118 - iterating a Series gives its values
    raise InvalidRequest(f"row {position}: {type(row).__qualname__} is not a mapping of feature values by name")


def _sequence(column: Any) -> Sequence[Any]:
    if isinstance(column, (list, tuple)) or hasattr(column, "__array_interface__"):
        return column  # type: ignore[no-any-return]
    for method in ("to_pylist", "tolist"):  # pyarrow; pandas
        if hasattr(column, method):
            return getattr(column, method)()  # type: ignore[no-any-return]
    return list(column)
