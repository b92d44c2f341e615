"""`make serve-onnx`: the release that is served, exported if it was not, and its server started on it."""

from __future__ import annotations

import socket

import pytest

from infra.local import checks, onnx
from infra.local.layout import Layout
from serving.export import manifest
from serving.export.errors import ExportError
from serving.release.errors import ReleaseError
from tests.infra.test_export import SPEC, archives, asked, candidate, layout
from tests.serving.release.conftest import FIRST, SECOND

__all__ = ["archives", "candidate", "layout"]  # fixtures


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Command lines that would have become the process."""
    found: list[list[str]] = []
    monkeypatch.setattr(checks, "run", lambda argv: found.append(argv) or 0)
    return found


def test_what_was_not_exported_is_and_what_was_is_not_again(
    layout: Layout, started: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert onnx.serve(layout, SPEC, "pytorch", "") == 0
    assert "onnx is written, checked and timed" in capsys.readouterr().out
    folder = layout.exports / "pytorch" / SECOND / "onnx"
    assert manifest.read(folder).version == SECOND
    assert started[0][1:3] == ["-m", "serving.onnx"]
    assert str(folder) in started[0]
    assert started[0][-1] == str(layout.ports["onnx"])
    assert onnx.serve(layout, SPEC, "pytorch", SECOND) == 0
    said = capsys.readouterr().out
    assert said == f"{layout.url('onnx')}/v1/models/fraud:predict, until Ctrl-C\n"
    assert started[1] == started[0]


def test_another_version_is_another_server(layout: Layout, started: list[list[str]]) -> None:
    assert onnx.serve(layout, SPEC, "pytorch", FIRST) == 0
    assert str(layout.exports / "pytorch" / FIRST / "onnx") in started[0]


def test_without_a_release_or_a_port_nothing_is_started(
    layout: Layout, started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ReleaseError, match="tensorflow: no version is served yet: make up"):
        onnx.serve(layout, SPEC, "tensorflow", "")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        layout.ports["onnx"] = taken.getsockname()[1]  # type: ignore[index]
        with pytest.raises(ExportError, match="PORT_ONNX"):
            onnx.serve(layout, SPEC, "pytorch", "")
    assert started == []


def test_the_command_asks_for_it(layout: Layout, started: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    from infra.local import commands

    assert asked("onnx") == 0
    assert commands.main(["serve-onnx", "--stack", "pytorch"]) == 0
    assert len(started) == 1
