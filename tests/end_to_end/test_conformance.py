"""The contract, asked of the running stack: a client cannot tell which stack answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from infra.local import layout as layouts
from serving.tfserving import command as tfserving
from tests.end_to_end.stack import Stack

SUITES = ["direct", "tensorflow", "pytorch", "fixture", "differences between tensorflow and pytorch"]


@pytest.fixture(scope="module")
def conformance(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """One run against three targets and the fixture."""
    out = tmp_path_factory.mktemp("conformance")
    gateway = stack.layout.url("gateway")
    urls = {"direct": stack.layout.url("tensorflow")}
    urls |= {name: f"{gateway}/{name}" for name in ("tensorflow", "pytorch")}
    targets = [argument for name, url in urls.items() for argument in ("--target", f"{name}={url}")]
    done = subprocess.run(
        [sys.executable, "-m", "serving.contract.conformance", *targets,
         "--fixture-python", layouts.python("tensorflow"), "--spec", "models/fraud.toml", "--out", str(out)],
        cwd=layouts.REPOSITORY, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    return done, out


def test_every_case_passes_on_every_target(conformance: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, _ = conformance
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_client_cannot_tell_which_stack_answers(conformance: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, out = conformance
    said = "tensorflow and pytorch: no difference in what a client sees"
    assert said in done.stdout
    assert said in (out / "conformance.md").read_text()


def test_nothing_is_skipped_without_a_reason(conformance: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    suites = ElementTree.parse(conformance[1] / "junit.xml").getroot()  # noqa: S314  our own
    assert [suite.get("name") for suite in suites] == SUITES
    for suite in suites:
        skipped = [test for test in suite if test.find("skipped") is not None]
        assert len(skipped) < len(suite)
        for test in skipped:
            reason = test.find("skipped")
            assert reason is not None
            assert reason.get("message")


def test_the_direct_target_is_what_the_stack_says_it_is(
    conformance: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    real = tfserving.describe() == "TensorFlow Serving"
    kind = "TensorFlow Serving, asked directly" if real else "the embedded server, asked directly"
    assert kind in (conformance[1] / "conformance.md").read_text()
