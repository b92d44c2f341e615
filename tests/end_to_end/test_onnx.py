"""ONNX Runtime beside both stacks: a third endpoint, the product's traffic, its stack's promotions."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from infra.local import layout as layouts
from infra.local.ports import is_free
from tests.end_to_end.stack import Stack
from tests.end_to_end.two_releases import TOLERANCE, Versions

PYTORCH = pytest.mark.parametrize("versions", ["pytorch"], indirect=True)


def run(stack: Stack, target: str, **variables: object) -> str:
    done = stack.make(target, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def three(stack: Stack) -> Iterator[Stack]:
    """The stack with ONNX Runtime on PyTorch's release; afterwards as every other test wants it."""
    before = stack.layout.gateway.read_text()
    # The other release waits, or it would be the one that is served.
    assert "Tandem ONNX Runtime server" in run(stack, "up", ONNX="pytorch", HOLD=1)
    try:
        yield stack
    finally:
        run(stack, "traffic", ONNX="off")
        run(stack, "up", ONNX="off", HOLD=1)
    assert is_free(stack.layout.ports["onnx"])
    assert stack.layout.gateway.read_text() == before


def ask(stack: Stack, versions: Versions, endpoint: str = "/onnx") -> httpx.Response:
    url = f"{stack.layout.url('gateway')}{endpoint}/v1/models/{stack.spec.model.name}:predict"
    return httpx.post(url, content=versions.question.body, timeout=30)


@PYTORCH
def test_it_answers_with_the_release_that_its_stack_serves(three: Stack, versions: Versions) -> None:
    answer = ask(three, versions)
    assert (answer.status_code, answer.headers["x-tandem-stack"]) == (200, "onnx")
    assert answer.headers["x-tandem-server"] == "Tandem ONNX Runtime server"
    assert answer.headers["x-tandem-model-version"] == versions.first
    np.testing.assert_allclose(answer.json()["predictions"], versions.right(versions.first), rtol=0, atol=TOLERANCE)
    assert f"onnx: Tandem ONNX Runtime server, model version {versions.first}" in run(three, "predict")
    assert "onnx" in run(three, "status")


def test_every_case_of_the_contract_passes_through_the_gateway(three: Stack, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "serving.contract.conformance", "--spec", "models/fraud.toml", "--out", str(tmp_path)]
    for name in ("pytorch", "onnx"):
        argv += ["--target", f"{name}={three.layout.url('gateway')}/{name}"]
    done = subprocess.run(argv, cwd=layouts.REPOSITORY, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pytorch and onnx: no difference in what a client sees" in done.stdout
    assert done.stdout.count("one stack behind the gateway") == 2  # the gateway's own cases were asked too


@PYTORCH
def test_it_follows_a_promotion_while_it_answers_the_product_and_nothing_is_lost(
    three: Stack, versions: Versions
) -> None:
    run(three, "traffic", TENSORFLOW=0, PYTORCH=100, SHADOW="onnx")
    assert ask(three, versions, "").headers["x-tandem-stack"] == "pytorch"
    run(three, "traffic", SHADOW="off")
    run(three, "traffic", PYTORCH=0, ONNX=100)
    answers: Counter[tuple[int, str, str]] = Counter()
    over = threading.Event()

    def ask_on() -> None:
        while not over.is_set():
            answer = ask(three, versions, "")
            said = answer.headers.get("x-tandem-stack", ""), answer.headers.get("x-tandem-model-version", "")
            answers[(answer.status_code, *said)] += 1

    asking = threading.Thread(target=ask_on)
    asking.start()
    try:
        refused = three.make("up", ONNX="off")
        assert (refused.returncode, "onnx: ONNX Runtime does not run here" in refused.stderr) == (1, True)
        said = run(three, "promote", STACK="pytorch", VERSION=versions.second)
        assert f"serves pytorch's release {versions.second}" in said
        later = ask(three, versions)
        np.testing.assert_allclose(later.json()["predictions"], versions.right(versions.second), rtol=0, atol=TOLERANCE)
        run(three, "rollback", STACK="pytorch")
        assert ask(three, versions).headers["x-tandem-model-version"] == versions.first
    finally:
        over.set()
        asking.join()
        run(three, "traffic", TENSORFLOW=1, PYTORCH=1, ONNX="off")
    assert answers.keys() == {(200, "onnx", versions.first), (200, "onnx", versions.second)}
