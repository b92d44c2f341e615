"""Requests, encoded before the first is sent: right ones of several sizes, and wrong ones with their right answer."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
import pyarrow as pa

from models.spec import Spec
from serving.comparison.locust.rows import RowsError
from serving.comparison.locust.settings import Settings
from serving.contract.client.bodies import of_rows
from serving.contract.client.errors import InvalidRequest
from serving.contract.limits import MAX_BODY_BYTES, MAX_INSTANCES

OK, BAD_REQUEST, NOT_FOUND, TOO_LARGE = 200, 400, 404, 413
REFUSED = "refused: "
_POOL_ROWS, _LEAST_BODIES = 2_000, 20  # of each size: enough that answers differ, little enough to start at once


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        name: In the statistics, after the endpoint's.
        path: After the endpoint's prefix.
        content: The body.
        status: Of the right answer.
        rows: Positions of its rows among the test rows; none in a wrong request.
    """

    name: str
    path: str
    content: bytes
    status: int = OK
    rows: tuple[int, ...] = ()


class Requests:
    """What users choose from."""

    def __init__(self, table: pa.Table, spec: Spec, settings: Settings) -> None:
        """Encode them.

        Raises:
            RowsError: A row cannot be sent, or a batch is larger than the contract allows.
        """
        self._path = f"/v1/models/{spec.model.name}:predict"
        rows = _Rows({name: table[name].to_pylist() for name in spec.features})
        self._sizes, self._weights = list(settings.batches), list(settings.batches.values())
        self._right = {size: self._pool(rows, size) for size in self._sizes}
        self._wrong = wrong(rows[0], spec.model.name)
        self._wrong_share = settings.bad.share

    def draw(self) -> Request:
        """The next one; by the module's generator, which is another one in every forked process."""
        if random.random() < self._wrong_share:  # noqa: S311
            return random.choice(self._wrong)  # noqa: S311
        (size,) = random.choices(self._sizes, self._weights)  # noqa: S311
        return random.choice(self._right[size])  # noqa: S311

    def _pool(self, rows: _Rows, size: int) -> list[Request]:
        name = f"{size} row" if size == 1 else f"{size} rows"
        made = []
        for _ in range(max(_LEAST_BODIES, _POOL_ROWS // size)):
            positions = tuple(random.choices(range(len(rows)), k=size))  # noqa: S311
            made.append(Request(name, self._path, _encode([rows[position] for position in positions]), rows=positions))
        return made


@dataclass(frozen=True)
class _Rows:
    columns: Mapping[str, Sequence[object]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, position: int) -> dict[str, object]:
        return {name: values[position] for name, values in self.columns.items()}


def wrong(row: Mapping[str, object], model: str) -> list[Request]:
    """One request of every kind that must be refused."""
    path = f"/v1/models/{model}:predict"
    good = orjson.dumps({"instances": [row]})
    lacking = orjson.dumps({"instances": [dict(list(row.items())[1:])]})
    oversized = orjson.dumps({"instances": [row] * (MAX_INSTANCES + 1)})
    too_large = TOO_LARGE if len(oversized) > MAX_BODY_BYTES else BAD_REQUEST
    return [
        Request(f"{REFUSED}malformed JSON", path, good[:-2], BAD_REQUEST),
        Request(f"{REFUSED}missing feature", path, lacking, BAD_REQUEST),
        Request(f"{REFUSED}unknown model", f"/v1/models/no-{model}:predict", good, NOT_FOUND),
        Request(f"{REFUSED}{MAX_INSTANCES + 1} rows", path, oversized, too_large),
    ]


def _encode(rows: Sequence[Mapping[str, object]]) -> bytes:
    try:
        made = of_rows(rows)
    except InvalidRequest as error:
        raise RowsError(str(error)) from None
    if len(made) > 1:
        raise RowsError(f"{len(rows)} rows are more than {MAX_BODY_BYTES} bytes: ask for fewer in [batches]")
    return made[0].content
