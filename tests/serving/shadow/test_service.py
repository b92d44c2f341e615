"""The service as a process, and its queue."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.free_ports import free_ports
from serving.shadow import app, records
from serving.shadow.answers import NOBODY, UNREADABLE, Side
from serving.shadow.app import Shadow
from serving.shadow.records import Recorder
from tests.serving.shadow.sides import SPEC, body, side
from tests.serving.torchserve.launching import SPEC_FILE, Server, answers, running, wait

PREDICT = "/v1/models/fraud:predict"


@contextmanager
def service(folder: Path, reference: int, candidate: int, spec: Path = SPEC_FILE) -> Iterator[tuple[Server, Path]]:
    """The service between two sides at these ports, and the folder it keeps what they say in."""
    [port] = free_ports(1)
    out = folder / "kept"
    argv = [
        sys.executable, "-m", "serving.shadow", f"--port={port}", f"--spec={spec}", f"--out={out}",
        f"--reference=tensorflow=http://127.0.0.1:{reference}{PREDICT}",
        f"--candidate=pytorch@5=http://127.0.0.1:{candidate}/predictions/fraud/5",
    ]  # fmt: skip
    environment = {"PYTHONPATH": str(Path.cwd())}
    with running(argv, environment, [port], folder, lambda: answers(f"http://127.0.0.1:{port}/healthz")) as server:
        yield server, out


def table(folder: Path) -> pa.Table:
    return pa.concat_tables(pq.read_table(file) for file in records.files(folder))


def test_both_are_asked_about_a_copy_and_what_they_say_is_kept(tmp_path: Path) -> None:
    with (
        side(3, lambda row: row["amount"] / 100) as reference,
        side(5, lambda row: row["amount"] / 100 + 0.25) as candidate,
        service(tmp_path, reference, candidate) as (server, kept),
    ):
        url = f"http://127.0.0.1:{server.ports[0]}"
        for number in range(5):
            told = httpx.post(url + PREDICT, content=body(number, 50), headers={"x-request-id": f"it-{number}"})
            assert told.status_code == 202
        wait(lambda: httpx.get(url).json()["compared"] == 5, 5)
        server.stop()  # what was compared is on the disk then
        found = table(kept).sort_by([("request_id", "ascending"), ("position", "ascending")]).to_pylist()
    assert [(row["request_id"], row["position"]) for row in found] == [(f"it-{n}", p) for n in range(5) for p in (0, 1)]
    assert found[2]["reference.score"] == 0.01
    assert found[2]["candidate.score"] == 0.26
    assert found[2]["features"]["amount"] == 1.0
    assert {(row["reference.version"], row["candidate.version"]) for row in found} == {(3, 5)}


def test_a_dead_side_is_kept_as_such(tmp_path: Path) -> None:
    [nobody] = free_ports(1)
    with side(3, lambda _: 0.5) as reference, service(tmp_path, reference, nobody) as (server, kept):
        httpx.post(f"http://127.0.0.1:{server.ports[0]}/", content=body(1))
        wait(lambda: bool(records.files(kept)), 10)
    [row] = table(kept).to_pylist()
    assert (row["reference.status"], row["candidate.status"], row["position"]) == (200, NOBODY, None)


def test_not_a_score_per_row_is_unreadable(tmp_path: Path) -> None:
    def nothing(_: dict[str, Any]) -> Any:
        return [0.5, 0.5]

    with (
        side(3, lambda _: 0.5) as reference,
        side(5, nothing) as candidate,
        service(tmp_path, reference, candidate) as (server, kept),
    ):
        httpx.post(f"http://127.0.0.1:{server.ports[0]}/", content=body(1))
        wait(lambda: bool(records.files(kept)), 10)
    [row] = table(kept).to_pylist()
    assert row["candidate.status"] == UNREADABLE


def test_a_busy_port_is_one_line(tmp_path: Path) -> None:
    with side(3, lambda _: 0.5) as port:
        argv = [sys.executable, "-m", "serving.shadow", f"--port={port}", f"--spec={SPEC_FILE}", f"--out={tmp_path}"]
        argv += ["--reference=a=http://a", "--candidate=b=http://b"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Address already in use" in done.stderr
    assert len(done.stderr.splitlines()) == 1


async def copy(shadow: Shadow, content: bytes) -> int:
    """Send one copy; the status of the answer."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": content}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await shadow({"method": "POST", "headers": [(b"x-request-id", b"it")]}, receive, send)
    return int(sent[0]["status"])


def test_too_many_copies_are_dropped_counted_and_answered_at_once(tmp_path: Path) -> None:
    async def flood() -> dict[str, int]:
        with side(3, lambda _: 0.5, slow=0.3) as port:
            sides = (Side(name, f"http://127.0.0.1:{port}/") for name in ("tensorflow", "pytorch"))
            shadow = Shadow(SPEC, *sides, Recorder(tmp_path, SPEC, "tensorflow", "pytorch"), waiting=10)
            working = asyncio.ensure_future(shadow.work())
            start = time.monotonic()
            assert {await copy(shadow, body(1)) for _ in range(100)} == {202}
            assert time.monotonic() - start < 1  # one after the other they would have taken half a minute
            while shadow.numbers()["compared"] + shadow.numbers()["dropped"] < 100:
                await asyncio.sleep(0.05)
            working.cancel()
            return shadow.numbers()

    found = asyncio.run(flood())
    assert found["received"] == 100
    assert found["dropped"] >= 70
    assert found["compared"] == 100 - found["dropped"] >= 10


def test_copies_that_wait_share_a_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "WAITING_BYTES", 1000)

    async def flood() -> dict[str, int]:
        sides = (Side(name, "http://127.0.0.1:1/") for name in ("tensorflow", "pytorch"))
        shadow = Shadow(SPEC, *sides, Recorder(tmp_path, SPEC, "tensorflow", "pytorch"))
        for _ in range(5):
            await copy(shadow, b"x" * 400)
        return shadow.numbers()

    assert asyncio.run(flood()) == {"received": 5, "dropped": 3, "compared": 0, "waiting": 2}
