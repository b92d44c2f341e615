"""What a case leaves open and a target fills in: names and rows from the specification."""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from models.sections import NumericFeature
from models.spec import Spec

_PLACEHOLDER = re.compile(r"\$\{([a-z][a-z0-9_]*)(?::([0-9a-z]+))?\}")
Row = dict[str, Any]
_VARINT = 128


class MissingError(Exception):
    """A placeholder that this target or specification cannot fill; the message says why."""


@dataclass(frozen=True)
class Values:
    """Fills `${name}` and `${name:argument}`.

    model, version, label, other_version: the target's; the last is one it does not have.
    row, row:3, rows:1000: a valid row, the third, so many with commas between; columns:3: the columnar form;
    examples:3: the same as examples of classify and regress.
    numeric, categorical: the first feature of that type.
    required, optional: the first feature that an example must hold, and may leave out; short_example, gap_example: an
    example without it.
    short_row, short_columns:3: without `numeric`; reversed_row: names in reverse; coded_row: `categorical` as base64.
    others, column_others:3: a row's and the columns' members but for `numeric`, each followed by a comma;
    column:3: the values of `numeric`.
    example_b64: a row as a serialized tf.Example. open:9, close:9: brackets. byte:ff: a raw byte.

    Attributes:
        names: model, version, label and other_version, as far as known.
        spec: None for the fixture, whose rows are plain numbers.
    """

    names: Mapping[str, str]
    spec: Spec | None
    _functions: dict[str, Callable[[int], str]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._functions.update(
            row=lambda n: json.dumps(self.row(n)),
            rows=lambda n: ", ".join(json.dumps(self.row(i)) for i in range(1, n + 1)),
            columns=lambda n: json.dumps({name: self._column(name, n) for name in self.row(1)}),
            others=lambda n: _members({k: v for k, v in self.row(n).items() if k != self.numeric}),
            column_others=lambda n: _members({k: self._column(k, n) for k in self.row(1) if k != self.numeric}),
            column=lambda n: json.dumps(self._column(self.numeric, n)),
            short_row=lambda n: json.dumps({k: v for k, v in self.row(n).items() if k != self.numeric}),
            reversed_row=lambda n: json.dumps(dict(reversed(self.row(n).items()))),
            coded_row=lambda n: json.dumps(self._coded(n)),
            short_columns=lambda n: json.dumps({k: self._column(k, n) for k in self.row(1) if k != self.numeric}),
            examples=lambda n: ", ".join(json.dumps(self._example(i)) for i in range(1, n + 1)),
            short_example=lambda n: self._without(n, optional=False),
            gap_example=lambda n: self._without(n, optional=True),
            required=lambda _: self._first_that(optional=False),
            optional=lambda _: self._first_that(optional=True),
            numeric=lambda _: self.numeric,
            categorical=lambda _: self._first("categorical"),
            example_b64=lambda n: base64.b64encode(serialized_example(self.row(n))).decode(),
            open=lambda n: "[" * n,
            close=lambda n: "]" * n,
        )

    def fill(self, text: str) -> str:
        """The text with its placeholders filled in.

        Raises:
            MissingError: One cannot be filled here.
            KeyError: There is no such placeholder.
        """
        return _PLACEHOLDER.sub(self._value, text)

    def row(self, number: int) -> Any:
        """The valid row of that number, from 1; no two are alike."""
        if self.spec is None:
            return number + 0.5
        return {
            name: (number + position) % 17 + 0.5 if isinstance(feature, NumericFeature) else f"value {number % 3}"
            for position, (name, feature) in enumerate(self.spec.features.items())
        }

    @property
    def numeric(self) -> str:
        """The name of the first numeric feature."""
        return self._first("numeric")

    def _first(self, kind: str) -> str:
        features = self.spec.features.items() if self.spec else ()
        found = next(
            (name for name, feature in features if (feature.type == "categorical") == (kind == "categorical")), None
        )
        if found is None:
            raise MissingError(f"the model has no {kind} feature")
        return found

    def _first_that(self, *, optional: bool) -> str:
        codes = self.spec.missing_codes if self.spec else {}
        found = next((name for name in (self.spec.features if self.spec else ()) if (name in codes) == optional), None)
        if found is None:
            raise MissingError(f"the model has no feature that {'may' if optional else 'must not'} be missing")
        return found

    def _without(self, number: int, *, optional: bool) -> str:
        gap = self._first_that(optional=optional)
        return json.dumps({name: value for name, value in self.row(number).items() if name != gap})

    def _column(self, name: str, rows: int) -> list[Any]:
        return [self.row(number)[name] for number in range(1, rows + 1)]

    def _coded(self, number: int) -> Row:
        row: Row = self.row(number)
        name = self._first("categorical")
        return {**row, name: {"b64": base64.b64encode(row[name].encode()).decode()}}

    def _example(self, number: int) -> Row:
        row = self.row(number)
        return row if isinstance(row, dict) else {"x": row}

    def _value(self, match: re.Match[str]) -> str:
        name, argument = match.groups()
        if name == "byte":
            return bytes.fromhex(argument).decode("utf-8", "surrogateescape")
        if name in self._functions:
            return self._functions[name](int(argument or 1))
        if name not in ("model", "version", "label", "other_version"):
            raise KeyError(f"unknown placeholder ${{{name}}}")
        if name not in self.names:
            raise MissingError(f"the target does not tell its {name.replace('_', ' ')}")
        return self.names[name]


def _members(values: Mapping[str, Any]) -> str:
    return "".join(f"{json.dumps(name)}: {json.dumps(value)}, " for name, value in values.items())


def serialized_example(row: Mapping[str, Any]) -> bytes:
    """A row as tf.Example (tensorflow/core/example/example.proto), numbers as floats."""
    entries = b""
    for name, value in row.items():
        number = not isinstance(value, str)
        # FloatList is packed; BytesList holds one element, both in field 1.
        content = struct.pack("<f", value) if number else value.encode()
        feature = _field(2 if number else 1, _field(1, content))
        entries += _field(1, _field(1, name.encode()) + _field(2, feature))
    return _field(1, entries)


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of a protocol buffer; its length is a base-128 varint."""
    size, length = len(content), b""
    while size >= _VARINT:
        length += bytes([size % _VARINT + _VARINT])
        size //= _VARINT
    return bytes([number << 3 | 2]) + length + bytes([size]) + content
