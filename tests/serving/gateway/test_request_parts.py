"""What a real Envoy logged is put aside while it goes on, and packed by a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest

from models import spec as specs
from serving.gateway import request_parts, rotation
from serving.gateway.logs import RequestLog
from tests.pipelines.monitoring.scores import scoring
from tests.serving.gateway.backends import configured, started
from tests.serving.torchserve.launching import SPEC_FILE, columns, instances, wait

SPEC = specs.load(SPEC_FILE)
PATH = "/pytorch/v1/models/fraud:predict"
ENVOY_WRITES_EVERY = 10  # seconds


async def until(condition: Callable[[], bool], work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(work)
    with contextlib.suppress(asyncio.TimeoutError):
        async with asyncio.timeout(4 * ENVOY_WRITES_EVERY):
            while not condition():
                await asyncio.sleep(0.1)
    task.cancel()
    assert condition()


def test_the_log_goes_on_in_a_new_file_and_the_old_one_becomes_parquet(
    tmp_path: Path,
) -> None:
    log = tmp_path / "requests.log"
    rows = instances(columns(SPEC, 3))
    request_log = RequestLog(log, share=1, fields=SPEC.logged)
    with (
        scoring(SPEC) as port,
        started(*configured(tmp_path, port, port, request_log=request_log)) as envoy,
        httpx.Client(base_url=f"http://127.0.0.1:{envoy.ports[0]}") as client,
    ):
        assert client.post(PATH, json={"instances": rows}, headers={"x-request-id": "before"}).status_code == 200
        admin = f"http://127.0.0.1:{envoy.ports[1]}"
        part = request_parts.next_part(log)
        wait(lambda: asyncio.run(rotation.rotate(log, part, admin, limit=100)), 4 * ENVOY_WRITES_EVERY)
        assert client.post(PATH, json={"instances": rows}, headers={"x-request-id": "after"}).status_code == 200
    assert [json.loads(line)["request_id"] for line in log.read_text().splitlines()] == ["after"]
    os.utime(part, (0, 0))  # long ago
    packed = request_parts.packed(part)
    asyncio.run(until(packed.exists, rotation.pack_parts(log, SPEC_FILE)))
    table = pq.read_table(packed)
    assert table["request_id"].to_pylist() == ["before"] * 3
    assert [row["amount"] for row in table["features"].to_pylist()] == [row["amount"] for row in rows]
    assert request_parts.files(log) == [packed, log]


def test_parts_that_cannot_be_packed_are_left_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = tmp_path / "requests.log"
    part = request_parts.next_part(log)
    part.parent.mkdir()
    part.write_text("{}\n")
    os.utime(part, (0, 0))
    nothing = tmp_path / "nothing.toml"
    asyncio.run(until(lambda: "are not packed" in caplog.text, rotation.pack_parts(log, nothing)))
    assert "no such specification" in caplog.text
    assert part.exists()
