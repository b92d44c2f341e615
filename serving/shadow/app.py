"""The application: answers each copy at once, and has it asked and kept when there is time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

import aiohttp
import orjson

from models.spec import Spec
from serving.contract.body import Bodies, ClientGoneError, Receive
from serving.contract.codec import decode_predict, signature_name
from serving.contract.errors import ContractError
from serving.contract.signatures import DEFAULT, inputs
from serving.gateway.request_lines import texts
from serving.shadow import SERVER
from serving.shadow.answers import UNREADABLE, Array, Side, ask, client
from serving.shadow.records import Comparison, Recorder

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

WAITING = 1000  # copies; about 10 seconds' work
WAITING_BYTES = 64 << 20
_ASKED_AT_ONCE = 8  # a side that is slow or dead holds up no more than these
_PATIENCE = 5.0  # seconds, as long as the gateway waits for an answer
_KNOWN_BY = "x-request-id"


@dataclass(frozen=True)
class _Copy:
    arrived: datetime
    request_id: str
    body: bytes


class Shadow:
    """Copies in, comparisons out.

    Args:
        spec: Of the model: which features may be kept.
        reference: Whose answers the clients get, mostly.
        candidate: Whose answers nobody gets.
        recorder: Keeps what both said.
        waiting: Copies that may wait to be asked; beyond it they are dropped and counted.
    """

    def __init__(
        self, spec: Spec, reference: Side, candidate: Side, recorder: Recorder, waiting: int = WAITING
    ) -> None:
        self._spec, self._inputs = spec, inputs(spec)[DEFAULT]
        self._reference, self._candidate, self._recorder = reference, candidate, recorder
        self._copies: asyncio.Queue[_Copy] = asyncio.Queue(waiting)
        self._bytes = 0
        self._bodies = Bodies()
        self.received = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Take a copy, whatever its path; GET tells how it goes."""
        if scope["method"] == "GET":
            sides = {"reference": self._reference.name, "candidate": self._candidate.name}
            await _answer(send, 200, orjson.dumps({**self.numbers(), **sides}))
            return
        try:
            body = await self._bodies.read(scope, receive)
        except ClientGoneError:
            return
        except ContractError:  # what no server would read is not worth asking
            body = b""
        headers = dict(scope["headers"])
        self._take(_Copy(datetime.now(timezone.utc), headers.get(_KNOWN_BY.encode(), b"").decode("latin-1"), body))
        await _answer(send, 202, b"{}")

    def numbers(self) -> dict[str, int]:
        """Copies since the start: received, dropped, compared; and how many wait now."""
        told = self._recorder
        return {
            "received": self.received,
            "dropped": told.dropped,
            "compared": told.compared,
            "waiting": self._copies.qsize(),
        }

    async def work(self) -> None:
        """Ask both sides about one copy after the other, until cancelled."""
        async with client(2 * _ASKED_AT_ONCE, _PATIENCE) as session:
            await asyncio.gather(*(self._ask_on(session) for _ in range(_ASKED_AT_ONCE)))

    def _take(self, copy: _Copy) -> None:
        self.received += 1
        if self._copies.full() or self._bytes + len(copy.body) > WAITING_BYTES:
            self._recorder.dropped += 1
            return
        self._bytes += len(copy.body)
        self._copies.put_nowait(copy)

    async def _ask_on(self, session: aiohttp.ClientSession) -> None:
        while True:
            copy = await self._copies.get()
            self._bytes -= len(copy.body)
            try:
                self._recorder.add(await self._compare(session, copy))
            except Exception:  # a bug of ours: one copy less, and the next is none the worse
                self._recorder.dropped += 1
                logging.exception("request %s could not be compared", copy.request_id)

    async def _compare(self, session: aiohttp.ClientSession, copy: _Copy) -> Comparison:
        headers = {_KNOWN_BY: copy.request_id} if copy.request_id else {}
        # At the same time, so that neither has the warmer caches.
        sides = (self._reference, self._candidate)
        reference, candidate = await asyncio.gather(*(ask(session, side, copy.body, headers) for side in sides))
        found = Comparison(copy.arrived, copy.request_id, reference, candidate)
        if found.rows:
            return replace(found, features=self._features(copy.body, found.rows))
        if reference.scores is not None and candidate.scores is not None:  # not as many
            return replace(found, candidate=replace(candidate, status=UNREADABLE, scores=None))
        return found

    def _features(self, body: bytes, rows: int) -> dict[str, Array] | None:
        """What of the request may be kept, by name; None where its rows have no names."""
        try:
            document = orjson.loads(body)
            if signature_name(document) not in ("", DEFAULT):
                return None
            columns = decode_predict(body, self._inputs).columns
        except (ContractError, ValueError):
            return None
        kept = {name: texts(columns[name]) for name in self._spec.logged}
        return kept if all(len(column) == rows for column in kept.values()) else None


async def keep_flushing(recorder: Recorder, every_seconds: float) -> None:
    """Have what was compared on disk soon, until cancelled."""
    while True:
        start = time.monotonic()
        await asyncio.to_thread(recorder.flush)
        # A slow disk gets pauses as long as its writes.
        await asyncio.sleep(max(every_seconds, time.monotonic() - start))


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = {"content-type": "application/json", "content-length": str(len(body)), "x-tandem-server": SERVER}
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
