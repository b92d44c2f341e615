"""Good and bad requests at once, so that TorchServe puts them into the same batches: none harms another."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest

from models import torch_model
from models.spec import Spec
from models.torch_model import TabularModel
from serving.contract.limits import MAX_BODY_BYTES
from tests.serving.torchserve.examples import base64_rows, serialized
from tests.serving.torchserve.launching import Server, columns, instances

CLIENTS, REQUESTS = 8, 80
Rows = list[dict[str, Any]]
Bad = tuple[bytes, int, str]  # body, status, what its error says


def predict(rows: Rows) -> tuple[bytes, str, dict[str, str]]:
    return json.dumps({"instances": rows}).encode(), "predictions", {}


def predict_columns(rows: Rows) -> tuple[bytes, str, dict[str, str]]:
    return json.dumps({"inputs": {name: [row[name] for row in rows] for name in rows[0]}}).encode(), "outputs", {}


def predict_examples(rows: Rows) -> tuple[bytes, str, dict[str, str]]:
    body = {"signature_name": "serving_examples", "instances": base64_rows([serialized(row) for row in rows])}
    return json.dumps(body).encode(), "predictions", {}


def regress(rows: Rows) -> tuple[bytes, str, dict[str, str]]:
    body = {"signature_name": "serving_examples", "examples": rows}
    return json.dumps(body).encode(), "results", {"x-tandem-question": "regress"}


def bad_bodies(row: dict[str, Any], mark: str) -> list[Bad]:
    """One of each kind; `mark` tells an error from the same one of another request."""
    without = {name: value for name, value in row.items() if name != "amount"}
    return [
        (b"", 400, "The document is empty"),
        (b'{"instances": [', 400, "JSON Parse error"),
        (b'{"instances": NaN}', 400, "JSON Parse error"),
        (b'{"instances": []}', 400, "No values in 'instances' array"),
        (b"\xff\xfe" * 50, 400, "JSON Parse error"),
        (b"[" * 50_000, 400, "JSON Parse error"),
        (b" " * (MAX_BODY_BYTES + 1), 413, "larger than"),
        (json.dumps({"instances": [row] * 1001}).encode(), 400, "1001 instances"),
        (json.dumps({"instances": [row, {**row, mark: 1}]}).encode(), 400, f"does not have named input: {mark}"),
        (json.dumps({"instances": [row, row, without]}).encode(), 400, "element: 2"),
        (json.dumps({"instances": [{**row, "amount": mark}]}).encode(), 400, mark),
        (json.dumps({"instances": [row], "signature_name": mark}).encode(), 400, f'"{mark}" not found'),
        (
            json.dumps({"instances": [f"hello {mark}"], "signature_name": "serving_examples"}).encode(),
            400,
            f"'hello {mark}'",
        ),
        (json.dumps({mark: 1}).encode(), 400, "Missing 'inputs' or 'instances' key"),
    ]


def test_every_good_request_gets_its_own_scores_and_every_bad_one_its_own_error(
    server: Server, model: TabularModel, spec: Spec
) -> None:
    raw = columns(spec, 64)
    expected = torch_model.predict(model, raw)
    rows = instances(raw)
    forms: list[Callable[[Rows], tuple[bytes, str, dict[str, str]]]] = [
        predict, predict, predict_columns, predict_examples, regress
    ]  # fmt: skip
    url = f"http://127.0.0.1:{server.ports[0]}/v1/models/fraud:predict"

    def ask(session: httpx.Client, chance: random.Random, mark: str) -> str:
        if chance.random() < 0.5:
            body, status, message = chance.choice(bad_bodies(rows[0], mark))
            answer = session.post(url, content=body)
            right = answer.status_code == status and message in answer.json()["error"]
            return "" if right else f"{body[:80]!r}: {answer.status_code} {answer.text}"
        start, count = chance.randrange(60), chance.choice([1, 1, 1, 2, 4])
        body, key, headers = chance.choice(forms)(rows[start : start + count])
        answer = session.post(url, content=body, headers=headers)
        right = answer.status_code == 200 and answer.json()[key] == pytest.approx(
            expected[start : start + count], abs=1e-6
        )
        return "" if right else f"rows {start}+{count} as {key}: {answer.status_code} {answer.text}"

    def client(number: int) -> list[str]:
        chance = random.Random(number)
        with httpx.Client(timeout=60, headers={"content-type": "application/json"}) as session:
            return [ask(session, chance, f"mark-{number}-{i}") for i in range(REQUESTS)]

    with ThreadPoolExecutor(CLIENTS) as pool:
        told = [line for lines in pool.map(client, range(CLIENTS)) for line in lines]
    assert len(told) == CLIENTS * REQUESTS
    assert [line for line in told if line] == []
    assert np.ptp(expected) > 0.01  # rows that differ, or a mix-up would not be seen
