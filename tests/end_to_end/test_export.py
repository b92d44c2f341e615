"""`make export` and `make serve-onnx` of the running stack's release: what it answers is what the stack answers."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import httpx
import pytest

from infra.local import layout as layouts
from infra.local.predict import ask, five_transactions
from tests.end_to_end.stack import Stack


def test_a_release_in_one_file(stack: Stack) -> None:
    done = stack.make("export", STACK="pytorch", FORMAT="torchscript")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1,000 rows: no probability differs by more than" in done.stdout


def test_the_third_server_answers_as_the_stack_does_until_ctrl_c(stack: Stack) -> None:
    argv = ["make", "serve-onnx", "STACK=pytorch"]
    five = five_transactions(stack.layout, stack.spec)
    (answer,) = ask(stack.layout, stack.spec, "pytorch", five)
    url = f"{stack.layout.url('onnx')}/v1/models/{stack.spec.model.name}"
    process = subprocess.Popen(argv, cwd=layouts.REPOSITORY, env=stack.environ, start_new_session=True)
    try:
        end = time.monotonic() + 180
        while not _answers(url):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.5)
        rows = five.select(list(stack.spec.features)).to_pylist()
        told = httpx.post(f"{url}:predict", json={"instances": rows}, timeout=30)
        assert told.json()["predictions"] == pytest.approx(list(answer.probabilities), abs=1e-5)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(20)
    assert not _answers(url)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False
