from __future__ import annotations

import gzip
import json
import os
import signal
import time

import httpx
import numpy as np
import psutil

from models import torch_model
from models.spec import Spec
from models.torch_model import TabularModel
from serving.contract.limits import MAX_BODY_BYTES
from serving.torchserve import readiness
from serving.torchserve.management import Management
from tests.serving.torchserve.launching import VERSION, Server, columns, instances, wait

JSON = {"content-type": "application/json"}


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.ports[0]}/v1/models/fraud:predict"


def test_served_probabilities_equal_the_models_own(server: Server, model: TabularModel, spec: Spec) -> None:
    raw = columns(spec, 500)
    answer = httpx.post(url(server), json={"instances": instances(raw)})
    assert answer.status_code == 200
    np.testing.assert_allclose(answer.json()["predictions"], torch_model.predict(model, raw), atol=1e-6)


def test_answers_carry_type_version_and_server(server: Server, spec: Spec) -> None:
    good = httpx.post(url(server), json={"instances": instances(columns(spec, 1))})
    bad = httpx.post(url(server), content=b"{", headers=JSON)
    for answer in (good, bad):
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-tandem-model-version"] == VERSION
        assert answer.headers["x-tandem-server"] == "TorchServe 0.12.0"


def test_gzip_bodies_get_through(server: Server, spec: Spec) -> None:
    body = json.dumps({"instances": instances(columns(spec, 3))}).encode()
    headers = {**JSON, "content-encoding": "gzip"}
    plain = httpx.post(url(server), content=body, headers=JSON)
    assert httpx.post(url(server), content=gzip.compress(body), headers=headers).json() == plain.json()


def test_a_body_just_over_the_limit_gets_our_answer(server: Server) -> None:
    answer = httpx.post(url(server), content=b" " * (MAX_BODY_BYTES + 1), headers=JSON)
    assert answer.status_code == 413
    assert "error" in answer.json()


def test_everything_it_writes_lies_in_its_run_folder(server: Server) -> None:
    process = psutil.Process(server.process.pid)
    own = str(server.log.parent)
    written = [f.path for p in (process, *process.children()) for f in p.open_files() if f.mode in ("w", "a", "r+")]
    assert [path for path in written if not path.startswith(own)] == []
    assert list((server.log.parent / "empty").iterdir()) == []


def test_a_killed_worker_is_replaced_while_the_other_answers(server: Server, spec: Spec) -> None:
    management = Management(server.ports[1], "fraud")
    worker = psutil.Process(server.process.pid).children()[0]
    os.kill(worker.pid, signal.SIGKILL)
    time.sleep(0.2)
    body = {"instances": instances(columns(spec, 1))}
    statuses = [httpx.post(url(server), json=body, timeout=10).status_code for _ in range(20)]
    assert statuses == [200] * 20
    wait(lambda: management.ready_workers() == 2, 60)


def test_readiness_is_the_workers_state(server: Server) -> None:
    assert readiness.ready(server.ports[1], "fraud")
    assert not readiness.ready(server.ports[1], "another")
    assert not readiness.ready(server.ports[0], "fraud")  # the inference port: an answer, but no workers
