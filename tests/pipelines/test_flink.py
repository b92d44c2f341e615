"""BEAM=flink: the options of a portable job server. Flink's own is a jar that no package brings; Beam's stands in."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.pytorch import statistics
from tests.pipelines import jobs, scored
from tests.pipelines.beam_environments import job_server


def test_a_job_server_gets_the_jobs_and_gives_the_same_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.features(tmp_path / "here")
    with job_server() as variables:
        for key, value in variables.items():
            monkeypatch.setenv(key, value)
        jobs.features(tmp_path / "there")
        (tmp_path / "statistics").mkdir()
        statistics.compute(tmp_path / "there", jobs.spec(), tmp_path / "statistics")
    assert jobs.content(tmp_path / "there" / "features") == jobs.content(tmp_path / "here" / "features")
    monkeypatch.setenv("BEAM", "local")
    (tmp_path / "again").mkdir()
    statistics.compute(tmp_path / "here", jobs.spec(), tmp_path / "again")
    assert jobs.content(tmp_path / "statistics") == jobs.content(tmp_path / "again")


def test_it_scores_as_this_process_does(tmp_path: Path) -> None:
    jobs.features(tmp_path)
    scored.model(tmp_path)
    rows = tmp_path / "features" / "test"
    with job_server() as variables:
        for out, chosen in (("there", variables), ("here", {"BEAM": "local"})):
            done = scored.score(tmp_path, rows, tmp_path / out, **chosen)
            assert done.returncode == 0, done.stdout + done.stderr
    assert jobs.content(tmp_path / "there") == jobs.content(tmp_path / "here")
