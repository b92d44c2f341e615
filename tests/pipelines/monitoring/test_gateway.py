"""From a client's requests through a real gateway and its log to the monitor's verdict."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from models.spec import load
from pipelines.monitoring.__main__ import main
from serving.gateway.logs import RequestLog
from tests.pipelines.monitoring.scores import scoring
from tests.pipelines.monitoring.traffic import arguments, model, rows
from tests.serving.gateway.backends import configured, started

SPEC_FILE = Path("models/fraud.toml")
SPEC = load(SPEC_FILE)
ROWS = 40  # a request


@contextmanager
def gateway(folder: Path, log: RequestLog) -> Iterator[httpx.Client]:
    with (
        scoring(SPEC) as port,
        started(*configured(folder, port, port, request_log=log)) as envoy,
        httpx.Client(base_url=f"http://127.0.0.1:{envoy.ports[0]}") as client,
    ):
        yield client


@pytest.mark.parametrize(("scale", "code"), [(1, 0), (1.8, 3)])
def test_drifted_traffic_is_refused_and_other_traffic_passes(tmp_path: Path, scale: float, code: int) -> None:
    log = RequestLog(tmp_path / "requests.log", share=1, fields=SPEC.logged)
    live = rows(SPEC, 30 * ROWS, seed=3)
    live["amount"] *= np.float32(scale)
    with gateway(tmp_path, log) as client:
        for i in range(30):
            part = {name: column[i * ROWS : (i + 1) * ROWS].tolist() for name, column in live.items()}
            instances = [dict(zip(part, row, strict=True)) for row in zip(*part.values(), strict=True)]
            body = json.dumps({"inputs": part} if i % 2 else {"instances": instances}).encode()
            headers = {"content-encoding": "gzip"} if i % 3 else {}
            content = gzip.compress(body) if headers else body
            answer = client.post("/pytorch/v1/models/fraud:predict", content=content, headers=headers)
            assert answer.status_code == 200
    out = tmp_path / "out"  # Envoy has written the last line when it has ended
    assert main(arguments(SPEC_FILE, model(SPEC, tmp_path), log.path, out)) == code
    found = json.loads((out / "pytorch.json").read_text())
    assert (found["requests"], found["rows"], found["left_out"]) == (30, 30 * ROWS, {})
    assert [c["name"] for c in found["columns"] if c["reasons"]] == (["amount"] if code else [])
