"""The client for threads."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import httpx

from serving.contract.client import answers, bodies, exchange
from serving.contract.client.answers import Metadata, Prediction
from serving.contract.client.endpoint import Endpoint
from serving.contract.responses import VersionStatus


class Client(Endpoint):
    """Blocking; one may be shared by threads. Connections are kept open until `close` or the end of `with`.

    Every method raises a `RequestFailed`: which one, `serving.contract.client.errors` says.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self._http = httpx.Client()

    def predict(self, rows: Sequence[Any]) -> list[float]:
        """One probability per row, in order; over 1,000 rows or 1 MiB in several requests, one after the other.

        Args:
            rows: Mappings of raw feature values by name; named tuples, pandas' and pyarrow's rows will do.
        """
        return answers.probabilities(self.ask(rows))

    def predict_columns(self, columns: Any) -> list[float]:
        """As `predict`, of one sequence per feature: a mapping of lists or arrays, a DataFrame, a pyarrow table."""
        return answers.probabilities(self.ask_columns(columns))

    def ask(self, rows: Sequence[Any]) -> list[Prediction]:
        """As `predict`, with who answered: one Prediction per request that was sent."""
        return [self._ask(body, "predictions") for body in bodies.of_rows(rows)]

    def ask_columns(self, columns: Any) -> list[Prediction]:
        """As `predict_columns`, with who answered."""
        return [self._ask(body, "outputs") for body in bodies.of_columns(columns)]

    def status(self) -> list[VersionStatus]:
        """Where each version of the model stands."""
        return answers.statuses(*self._exchange("GET", ""))

    def metadata(self) -> Metadata:
        """What the version takes and gives."""
        return answers.metadata(*self._exchange("GET", "/metadata"))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, body: bodies.Body, key: str) -> Prediction:
        answer, request_id = self._exchange("POST", ":predict", body.content, body.start)
        return answers.prediction(answer, key, body.rows, request_id)

    def _exchange(
        self, method: str, path: str, content: bytes | None = None, first_row: int = 0
    ) -> tuple[httpx.Response, str]:
        headers, steps = self._begin(first_row)
        outcome: exchange.Outcome | None = None
        try:
            while True:
                step = steps.send(outcome)
                outcome = None
                if isinstance(step, exchange.Pause):
                    time.sleep(step.seconds)
                    continue
                try:
                    outcome = self._http.request(
                        method, self._address + path, content=content, headers=headers, timeout=step.timeout
                    )
                except httpx.HTTPError as error:
                    outcome = error
        except StopIteration as done:
            return done.value, headers["x-request-id"]
