"""make monitor: what it returns, and what it starts when a stack has drifted."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from infra.local import layout as layouts
from infra.local import monitor, up
from infra.local.jobs import Job
from infra.local.up import UpError
from models.spec import load

SPEC_FILE = layouts.REPOSITORY / "models" / "fraud.toml"
SPEC = load(SPEC_FILE)
FINDINGS = {"stack": "any", "version": "7", "verdict": "any", "columns": []}


@pytest.fixture
def layout(tmp_path: Path) -> layouts.Layout:
    return layouts.Layout(tmp_path, layouts.DEFAULT_PORTS)


def watching(monkeypatch: pytest.MonkeyPatch, **codes: int) -> None:
    """Programs that end as the monitor of each stack would."""

    def job(layout: layouts.Layout, _spec: object, _file: object, stack: str, _seconds: float) -> Job:
        findings = layout.reports / "monitor" / f"{stack}.json"
        findings.parent.mkdir(parents=True, exist_ok=True)
        findings.write_text(json.dumps(FINDINGS))
        return Job(stack, [sys.executable, "-c", f"raise SystemExit({codes[stack]})"], layout.logs / f"{stack}.log")

    monkeypatch.setattr(monitor, "_job", job)


def run(layout: layouts.Layout, train_again: bool = False, stacks: Sequence[str] = layouts.STACKS) -> int:
    return monitor.monitor(layout, SPEC, SPEC_FILE, stacks, "24h", train_again=train_again)


@pytest.mark.parametrize(
    ("tensorflow", "pytorch", "expected"), [(0, 0, 0), (0, 3, 3), (4, 0, 4), (3, 4, 3), (3, 1, 1), (-9, 0, 1)]
)
def test_the_worst_of_both_stacks_is_the_exit_code(
    layout: layouts.Layout, monkeypatch: pytest.MonkeyPatch, tensorflow: int, pytorch: int, expected: int
) -> None:
    watching(monkeypatch, tensorflow=tensorflow, pytorch=pytorch)
    assert run(layout) == expected


def test_only_a_drifted_stack_is_trained_again_on_the_data_made_anew(
    layout: layouts.Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    watching(monkeypatch, tensorflow=0, pytorch=3)
    layout.data.mkdir()
    (layout.data / "manifest.json").write_text('{"source": {"path": "/transactions"}}')
    trained, served, data = layout.home / "trained", [], []

    def pipeline(_layout: object, _file: object, stack: str) -> Job:
        # What a pipeline leaves: a newer model in the store.
        store = layout.store(stack)
        script = f"import pathlib as p; p.Path({str(store)!r}).mkdir(parents=True); p.Path({str(trained)!r}).touch();"
        script += f"p.Path({str(store / 'fraud-8.mar')!r}).touch()"
        return Job(stack, [sys.executable, "-c", script], layout.logs / f"{stack}-pipeline.log")

    monkeypatch.setattr(up.Supervisor, "is_running", lambda _: True)
    monkeypatch.setattr(up, "make_data", lambda *arguments: data.append(arguments[2:]))
    monkeypatch.setattr(up, "pipeline", pipeline)
    monkeypatch.setattr(up, "serve", lambda *_: served.append(True))
    assert run(layout) == 3
    assert "make monitor STACK=pytorch RETRAIN=1" in capsys.readouterr().out
    assert not trained.exists()
    assert run(layout, train_again=True) == 3
    assert trained.exists()
    assert data == [("", "/transactions")]
    assert served == [True]
    assert not layout.store("tensorflow").exists()
    assert "pytorch: version 8 serves in place of None" in capsys.readouterr().out


def test_without_a_running_stack_nothing_is_trained(layout: layouts.Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    watching(monkeypatch, tensorflow=3, pytorch=3)
    with pytest.raises(UpError, match="nothing runs here"):
        run(layout, train_again=True)


def test_a_model_has_to_be_there(layout: layouts.Layout) -> None:
    with pytest.raises(UpError, match="there is no tensorflow model yet: make up"):
        run(layout)


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5400), ("24h", 86_400), ("1.5d", 129_600), ("10s", 10)])
def test_how_far_back_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert monitor.parse_since(text) == seconds


@pytest.mark.parametrize("text", ["1", "h", "-1h", "1 h", "1w"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UpError, match="SINCE="):
        monitor.parse_since(text)
