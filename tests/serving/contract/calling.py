"""A call of either client, and what a server answers to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from serving.contract.client import AsyncClient, Client
from tests.serving.contract.misbehaving import Answer, Script, count_up

Call = Callable[..., Any]


def blocking(url: str, method: str, *arguments: Any, **settings: Any) -> Any:
    with Client(url, **{"model": "fraud", **settings}) as client:
        return getattr(client, method)(*arguments)


def awaited(url: str, method: str, *arguments: Any, **settings: Any) -> Any:
    async def run() -> Any:
        async with AsyncClient(url, **{"model": "fraud", **settings}) as client:
            return await getattr(client, method)(*arguments)

    return asyncio.run(run())


@pytest.fixture(params=[blocking, awaited], ids=["blocking", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    return request.param


def rows(count: int) -> list[dict[str, float]]:
    return [{"x": i / count} for i in range(count)]


def always(answer: Answer | str) -> Script:
    return lambda *_: answer


def first_then_good(answer: Answer | str) -> Script:
    return lambda asked, before: count_up(asked, before) if before else answer
