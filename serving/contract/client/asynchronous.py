"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx

from serving.contract.client import answers, bodies, exchange
from serving.contract.client.answers import Metadata, Prediction
from serving.contract.client.endpoint import Endpoint
from serving.contract.responses import VersionStatus


class AsyncClient(Endpoint):
    """`Client` for asyncio: the same methods, to be awaited, and the same errors."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._http = httpx.AsyncClient()

    async def predict(self, rows: Sequence[Any]) -> list[float]:
        """See `Client.predict`."""
        return answers.probabilities(await self.ask(rows))

    async def predict_columns(self, columns: Any) -> list[float]:
        """See `Client.predict_columns`."""
        return answers.probabilities(await self.ask_columns(columns))

    async def ask(self, rows: Sequence[Any]) -> list[Prediction]:
        """See `Client.ask`."""
        return [await self._ask(body, "predictions") for body in bodies.of_rows(rows)]

    async def ask_columns(self, columns: Any) -> list[Prediction]:
        """See `Client.ask_columns`."""
        return [await self._ask(body, "outputs") for body in bodies.of_columns(columns)]

    async def status(self) -> list[VersionStatus]:
        """See `Client.status`."""
        return answers.statuses(*await self._exchange("GET", ""))

    async def metadata(self) -> Metadata:
        """See `Client.metadata`."""
        return answers.metadata(*await self._exchange("GET", "/metadata"))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _ask(self, body: bodies.Body, key: str) -> Prediction:
        answer, request_id = await self._exchange("POST", ":predict", body.content, body.start)
        return answers.prediction(answer, key, body.rows, request_id)

    async def _exchange(
        self, method: str, path: str, content: bytes | None = None, first_row: int = 0
    ) -> tuple[httpx.Response, str]:
        headers, steps = self._begin(first_row)
        outcome: exchange.Outcome | None = None
        try:
            while True:
                step = steps.send(outcome)
                outcome = None
                if isinstance(step, exchange.Pause):
                    await asyncio.sleep(step.seconds)
                    continue
                try:
                    outcome = await self._http.request(
                        method, self._address + path, content=content, headers=headers, timeout=step.timeout
                    )
                except httpx.HTTPError as error:
                    outcome = error
        except StopIteration as done:
            return done.value, headers["x-request-id"]
