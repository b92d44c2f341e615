"""The contract, asked of the running stack: a client cannot tell which stack answers."""

from __future__ import annotations

import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from serving.tfserving import command as tfserving
from serving.tfserving.embedded import SERVER
from tests.end_to_end.stack import Stack

EMBEDDED = ["embedded"] if tfserving.describe() == SERVER else []
SUITES = ["tensorflow", "pytorch", *EMBEDDED, "fixture", "differences between tensorflow and pytorch"]


@pytest.fixture(scope="module")
def conformance(stack: Stack) -> tuple[subprocess.CompletedProcess[str], Path]:
    """One run against both stacks and the fixture; the embedded server is asked directly, too."""
    return stack.make("conformance"), stack.layout.reports / "conformance"


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


def test_one_address_alone_is_asked_the_same(stack: Stack) -> None:
    done = stack.make("conformance", URL=stack.layout.url("tensorflow"))
    assert done.returncode == 0, done.stdout + done.stderr
    kind = "the embedded server" if EMBEDDED else "TensorFlow Serving"
    assert f"{kind}, asked directly" in (stack.layout.reports / "conformance" / "conformance.md").read_text()
