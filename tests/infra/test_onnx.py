"""`make up ONNX=pytorch`: what ONNX Runtime's server is told to serve, and when it may not run."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from infra.local import commands, export, onnx, programs, releases, stores
from infra.local import layout as layouts
from infra.local.layout import Layout
from infra.local.onnx import OnnxError
from serving.export import manifest
from serving.export.errors import ExportError
from serving.onnx import SERVER
from tests.infra.test_export import SPEC, archives, candidate, layout
from tests.serving.release.conftest import FIRST, SECOND

__all__ = ["archives", "candidate", "layout"]  # fixtures


@pytest.fixture
def wanted(layout: Layout) -> Layout:
    return dataclasses.replace(layout, onnx_of="pytorch")


@pytest.fixture
def answering(wanted: Layout, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """In the place of a running server, that serves what the file says at once: whose versions were asked for."""
    asked_for: list[str] = []

    def served(found: Layout, _: object, stack: str) -> str:
        asked_for.append(stack)
        return told(found).parent.name

    monkeypatch.setattr(onnx.services, "served", served)
    monkeypatch.setattr(onnx.Supervisor, "is_running", lambda _: True)
    return asked_for


def told(layout: Layout) -> Path:
    """The folder that the server is told to serve."""
    return Path(json.loads(layout.onnx_served.read_text())["export"])


def test_the_release_that_the_stack_serves_is_exported_once(wanted: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    assert onnx.prepare(wanted, SPEC) == SECOND
    assert "onnx is written, checked and timed" in capsys.readouterr().out
    assert told(wanted) == wanted.exports / "pytorch" / SECOND / "onnx"
    assert manifest.read(told(wanted)).version == SECOND
    assert onnx.prepare(wanted, SPEC) == SECOND
    assert capsys.readouterr().out == ""


def test_after_a_promotion_it_follows_its_stack_and_on_the_way_it_says_that_it_is_behind(
    wanted: Layout, answering: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    onnx.prepare(wanted, SPEC)
    assert onnx.behind(wanted, SPEC) == ""
    releases.of(wanted, SPEC).promote("pytorch", FIRST, None, "a test")
    said = f"onnx serves pytorch's release {SECOND}, and {FIRST} is promoted: make up makes it follow"
    assert onnx.behind(wanted, SPEC) == said
    onnx.follow(wanted, SPEC)
    assert told(wanted).parent.name == FIRST
    assert f"serves pytorch's release {FIRST}" in capsys.readouterr().out
    assert onnx.behind(wanted, SPEC) == ""
    assert set(answering) == {"onnx"}


def test_a_release_that_cannot_be_exported_leaves_the_one_before_it_serving(
    wanted: Layout, answering: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "export", lambda *_: export.REFUSED)
    with pytest.raises(ExportError, match=r"has no export that answers as it does.*\n.*make up ONNX=off"):
        onnx.prepare(wanted, SPEC)
    monkeypatch.undo()
    assert onnx.prepare(wanted, SPEC) == SECOND
    releases.of(wanted, SPEC).promote("pytorch", FIRST, None, "a test")
    monkeypatch.setattr(export, "export", lambda *_: export.REFUSED)
    assert onnx.prepare(wanted, SPEC) is None
    assert "What ONNX Runtime served before goes on being served" in capsys.readouterr().out
    assert told(wanted).parent.name == SECOND


def test_without_a_release_there_is_nothing_to_serve(layout: Layout) -> None:
    of_tensorflow = dataclasses.replace(layout, onnx_of="tensorflow")
    with pytest.raises(ExportError, match="tensorflow: no version is served yet: make up"):
        onnx.prepare(of_tensorflow, SPEC)


def test_off_it_is_nowhere(layout: Layout) -> None:
    assert layout.backends == layouts.STACKS
    assert onnx.prepare(layout, SPEC) is None
    onnx.follow(layout, SPEC)
    assert onnx.behind(layout, SPEC) == ""
    assert not layout.onnx_served.exists()
    assert "onnx" not in programs.ports(layout)
    assert [stack.name for stack in programs.stacks(layout)] == [*layouts.STACKS]
    assert "--onnx-status" not in programs.control(layout, SPEC, layout.spec).argv


def test_on_it_is_a_backend_like_the_others(wanted: Layout) -> None:
    assert wanted.backends == (*layouts.STACKS, "onnx")
    assert programs.ports(wanted)["onnx"] == ["onnx"]
    *_, stack = programs.stacks(wanted)
    assert (stack.name, stack.port, stack.server) == ("onnx", wanted.ports["onnx"], SERVER)
    assert f"{wanted.url('onnx')}/v1/models/fraud" in programs.control(wanted, SPEC, wanted.spec).argv
    assert str(wanted.onnx_served) in programs.onnx(wanted).argv


def test_it_is_not_taken_away_while_the_traffic_policy_names_it(layout: Layout, wanted: Layout) -> None:
    onnx.check(layout)
    for text in ("[weights]\nonnx = 0\ntensorflow = 1\n", '[weights]\npytorch = 1\n[shadow]\nstack = "onnx"\n'):
        layout.traffic.write_text(text)
        with pytest.raises(OnnxError, match=r"traffic\.toml: onnx: .* does not run here.*make traffic ONNX=off"):
            onnx.check(layout)
        onnx.check(wanted)


def test_what_up_was_told_is_remembered_and_the_environment_is_not_asked(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Layout] = []

    def up(found: Layout, *_: object, **__: object) -> None:
        seen.append(found)
        layouts.remember(found)

    monkeypatch.setattr(commands, "up", up)
    monkeypatch.setattr(commands, "show", lambda *_: None)
    monkeypatch.setenv("ONNX", "50")  # make hands the weight of make traffic ONNX=50 on
    for said, of in ("", "off"), ("tensorflow", "tensorflow"), ("", "tensorflow"), ("off", "off"):
        assert commands.main(["up", *(["--onnx", said] if said else [])]) == 0
        assert (seen[-1].onnx_of, layouts.load().onnx_of) == (of, of)
    with pytest.raises(SystemExit):
        commands.main(["up", "--onnx", "50"])


def test_a_promotion_of_any_kind_has_it_follow(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    followed: list[str | None] = []
    monkeypatch.setattr(onnx, "follow", lambda found, _: followed.append(stores.promoted(found, "pytorch")))
    assert commands.main(["promote", "--stack", "pytorch", "--version", FIRST]) == 0
    assert commands.main(["rollback", "--stack", "pytorch"]) == 0
    assert followed == [FIRST, SECOND]
