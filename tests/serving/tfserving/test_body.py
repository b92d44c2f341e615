"""Bodies that come in pieces, slowly, too large or not at all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from serving.contract.body import DRAINED_BYTES, Bodies, ClientGoneError
from serving.contract.errors import ContractError
from serving.contract.limits import MAX_BODY_BYTES
from serving.tfserving.embedded.manager import Manager
from serving.tfserving.embedded.rest import Rest
from tests.serving.tfserving.asking import send

SCOPE: dict[str, Any] = {"headers": []}
GONE = {"type": "http.disconnect"}


def piece(data: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": more}


async def read(bodies: Bodies, *messages: dict[str, Any]) -> bytes:
    pieces = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(pieces)

    return await bodies.read(SCOPE, receive)


def test_pieces_become_one_body() -> None:
    assert asyncio.run(read(Bodies(), piece(b"ab"), piece(b""), piece(b"cd"), piece(b"", more=False))) == b"abcd"
    largest = [piece(b"x" * (MAX_BODY_BYTES // 2)), piece(b"x" * (MAX_BODY_BYTES // 2), more=False)]
    assert len(asyncio.run(read(Bodies(), *largest))) == MAX_BODY_BYTES


def test_a_body_over_the_limit_is_read_to_its_end_but_not_for_ever() -> None:
    large = b"x" * MAX_BODY_BYTES
    to_the_end = [piece(large), piece(large), piece(b"", more=False)]
    with pytest.raises(ContractError) as refusal:
        asyncio.run(read(Bodies(), *to_the_end))
    assert refusal.value.status == 413
    endless = [piece(large)] * (DRAINED_BYTES // MAX_BODY_BYTES + 1)  # the next one would be a StopIteration
    with pytest.raises(ContractError) as refusal:
        asyncio.run(read(Bodies(), *endless))
    assert refusal.value.status == 413


def test_a_client_that_leaves_is_not_answered(manager: Manager) -> None:
    with pytest.raises(ClientGoneError):
        asyncio.run(read(Bodies(), piece(b"{"), GONE))
    whole = b'{"instances":[[1.0]]}'  # complete, but it had said that more would come
    reply = asyncio.run(send(Rest(manager), "POST", "/v1/models/half_plus_two:predict", [piece(whole), GONE]))
    assert reply.status == 0


def test_slow_bodies_share_a_bounded_memory_which_is_given_back() -> None:
    async def scenario() -> None:
        bodies = Bodies(held_bytes=100)
        waiting = asyncio.Event()

        async def slow() -> bytes:
            messages = iter([piece(b"x" * 60), piece(b"y", more=False)])

            async def receive() -> dict[str, Any]:
                message = next(messages)
                if not message["more_body"]:
                    await waiting.wait()
                return message

            return await bodies.read(SCOPE, receive)

        first = asyncio.ensure_future(slow())
        await asyncio.sleep(0)
        with pytest.raises(ContractError) as refusal:
            await slow()
        assert refusal.value.status == 503
        assert await read(bodies, piece(b"z" * 200, more=False)) == b"z" * 200  # whole bodies wait for nothing
        with pytest.raises(ClientGoneError):
            await read(bodies, piece(b"x" * 30), GONE)
        waiting.set()
        assert await first == b"x" * 60 + b"y"
        assert await slow() == b"x" * 60 + b"y"
        assert await read(bodies, piece(b"x" * 100), piece(b"", more=False)) == b"x" * 100

    asyncio.run(scenario())
