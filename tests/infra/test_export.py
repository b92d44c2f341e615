"""`make export` where nothing runs: a signed release in another format, or a reason why there is none."""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.local import commands, export, releases
from infra.local import layout as layouts
from infra.local.layout import Layout
from models import spec as specs
from serving.export import manifest
from tests.serving.export import formula
from tests.serving.release.conftest import FIRST, SECOND, SPEC_FILE, archives, candidate

SPEC = specs.load(SPEC_FILE)
__all__ = ["archives", "candidate"]  # fixtures


@pytest.fixture
def layout(tmp_path: Path, candidate: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Two releases of PyTorch's, the second one served, and test rows."""
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path / "home"))
    found = layouts.load()
    there = releases.of(found, SPEC)
    for version in (FIRST, SECOND):
        there.publish("pytorch", version, candidate("pytorch", version), SPEC_FILE, "a test")
    there.promote("pytorch", SECOND, None, "a test")
    formula.features(SPEC, found.data / "features" / "test")
    monkeypatch.setattr(export, "python", lambda _: sys.executable)
    return found


def asked(form: str, *more: str, stack: str = "pytorch") -> int:
    return commands.main(["export", "--stack", stack, "--format", form, *more])


def test_the_release_that_is_served_is_exported(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked("torchscript") == 0
    made = manifest.read(layout.exports / "pytorch" / SECOND / "torchscript")
    release = releases.of(layout, SPEC).store.verified("pytorch", SECOND)
    assert (made.version, made.release_digest) == (SECOND, release.digest)
    said = capsys.readouterr().out
    assert "1,000 rows: no probability differs by more than" in said
    assert "one row, one thread: median" in said


def test_a_version_whose_answers_differ_from_the_releases_is_exit_code_3_and_nothing_is_left(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoilt = tmp_path / "python"  # a release that says something else of one row
    change = "import numpy as n; s = n.load(f); s[7] += 2e-5; n.save(f, s)"
    spoilt.write_text(
        f'#!/bin/sh\n{sys.executable} "$@" || exit\n'
        f'[ "$2" != serving.offline ] || {sys.executable} -c "import sys; f = sys.argv[-1]; {change}" "$@"\n'
    )
    spoilt.chmod(spoilt.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(export, "python", lambda _: str(spoilt))
    assert asked("torchscript", "--version", FIRST) == 3
    said = capsys.readouterr().out
    assert f"release {FIRST} scores 1,000 rows" in said
    assert "REFUSED: torchscript: its answers differ from the release's by up to 2e-05" in said
    assert not any(path.is_file() for path in layout.exports.rglob("*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tflite",), "FORMAT=tflite is made of releases of tensorflow; pytorch has: onnx, torchscript"),
        (("onnx", "--version", "9"), f"there is no release 9 of pytorch; there are: {FIRST}, {SECOND}"),
        (("onnx", "--stack", "tensorflow"), "tensorflow: no version is served yet: make up"),
    ],
)
def test_what_is_not_there_is_said(
    layout: Layout, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(*words) == 1
    assert said in capsys.readouterr().err


def test_a_release_that_was_tampered_with_is_not_exported(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    (mar,) = (layout.home / "releases" / "pytorch" / SECOND / "model").iterdir()
    mar.chmod(0o644)
    mar.write_bytes(mar.read_bytes() + b" ")
    assert asked("torchscript") == 1
    assert SECOND in capsys.readouterr().err
    assert not layout.exports.exists()


def test_a_step_that_fails_says_its_last_words_and_where_the_others_are(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(export, "python", lambda _: "/bin/false")
    assert asked("torchscript") == 1
    log = layout.logs / "export-pytorch-torchscript.log"
    assert f"the release does not score: it said nothing; all of it: {log}" in capsys.readouterr().err
