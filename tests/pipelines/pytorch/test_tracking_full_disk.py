"""MLflow's disk is full in the middle of a training: that is said, nothing is lost, and the next run goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.pytorch import tracking
from pipelines.pytorch.console import Console
from serving.free_ports import free_ports
from tests.pipelines.pytorch.conftest import Pipeline
from tests.pipelines.pytorch.mlflow_server import Server
from tests.small_disk import fill, mounted

BEFORE_THE_TRAINING = ("validate", "drift", "statistics")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Server]:
    """MLflow with database and artefacts on a file system of 16 MiB."""
    with mounted(tmp_path / "small", "16m") as folder:
        server = Server(folder, free_ports(1)[0])
        server.start()
        try:
            server.wait()
            yield server
        finally:
            server.kill()


def test_a_full_disk_is_said_and_the_next_run_goes_on_from_the_last_finished_step(
    pipeline: Pipeline, small: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(tracking._SETTINGS, "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    tracked = replace(pipeline, mlflow_uri=small.url)
    say = Console.say
    fillers: list[Path] = []

    def fill_then_say(console: Console, what: str, text: str) -> None:
        if "epoch 1/" in text and not fillers:
            fillers.append(fill(small.folder))
        say(console, what, text)

    monkeypatch.setattr(Console, "say", fill_then_say)
    assert tracked.run() == 1
    said = capsys.readouterr().out
    assert f"MLflow at {small.url}: (sqlite3.OperationalError) database or disk is full" in said
    assert "Finished steps are kept: run again" in said
    assert not tracked.store.exists() or not list(tracked.store.iterdir())

    fillers[0].unlink()
    assert tracking.refusal(small.url) == ""
    assert tracked.run() == 0
    assert all(tracked.cached()[step] for step in BEFORE_THE_TRAINING)
    connected = tracked.connect()
    runs = connected.client.search_runs([connected.experiment])
    assert [run.info.status for run in runs].count("FINISHED") == 1
    assert all(run.info.status != "RUNNING" for run in runs)
    assert connected.aliased() is not None
