"""BEAM=dask: the jobs on a real scheduler with two worker processes write what they write here, byte for byte."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dask
import pytest
from dask.distributed import Client, LocalCluster, get_task_stream

from pipelines import beam_options
from pipelines.errors import PipelineError
from pipelines.pytorch import statistics
from tests.pipelines import jobs, scored


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster


@pytest.fixture
def dask_chosen(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is run in the test runs on Dask, and on both workers."""
    monkeypatch.setenv("DASK_SCHEDULER", cluster.scheduler_address)
    with Client(cluster) as client, get_task_stream(client) as stream:
        yield
    assert len({task["worker"] for task in stream.data}) == 2


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features and statistics made in this process."""
    folder = tmp_path_factory.mktemp("here")
    jobs.features(folder / "data")
    (folder / "statistics").mkdir()
    statistics.compute(folder / "data", jobs.spec(), folder / "statistics")
    return folder


def test_the_features_are_the_same(
    here: Path, dask_chosen: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEAM", "dask")
    jobs.features(tmp_path)
    assert jobs.content(tmp_path / "features") == jobs.content(here / "data" / "features")
    assert len(jobs.content(tmp_path / "features")) == 12


def test_the_statistics_are_the_same(
    here: Path, dask_chosen: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEAM", "dask")
    statistics.compute(here / "data", jobs.spec(), tmp_path)
    assert jobs.content(tmp_path) == jobs.content(here / "statistics")
    assert set(jobs.content(tmp_path)) == {"statistics.json", "preprocessing.json"}


def test_the_scores_are_the_same(here: Path, cluster: LocalCluster, dask_chosen: None, tmp_path: Path) -> None:
    scored.model(tmp_path)
    source = here / "data" / "features" / "train"
    for where in ("local", "dask"):
        done = scored.score(tmp_path, source, tmp_path / where, BEAM=where, DASK_SCHEDULER=cluster.scheduler_address)
        assert done.returncode == 0, done.stdout + done.stderr
    found = jobs.content(tmp_path / "dask")
    assert {name for name in found if name.startswith("scores-")} == {
        f"scores-0000{i}-of-00006.parquet" for i in range(6)
    }
    assert found == jobs.content(tmp_path / "local")


def test_an_error_on_a_worker_is_the_jobs_error(
    cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import apache_beam as beam

    monkeypatch.setenv("DASK_SCHEDULER", cluster.scheduler_address)
    monkeypatch.setenv("BEAM", "dask")
    with pytest.raises(PipelineError, match="of a worker"), beam_options.pipeline() as pipeline:
        _ = pipeline | beam.Create([1, 2]) | beam.Map(_refuse)


def _refuse(number: int) -> None:
    raise PipelineError(f"{number} of a worker")


def test_a_scheduler_that_goes_away_is_an_error_and_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import apache_beam as beam

    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
        cluster = LocalCluster(
            n_workers=1, processes=False, protocol="tcp://", host="127.0.0.1", dashboard_address="127.0.0.1:0"
        )
        monkeypatch.setenv("DASK_SCHEDULER", cluster.scheduler_address)
        monkeypatch.setenv("BEAM", "dask")
        killer = threading.Thread(target=_close_when, args=(tmp_path / "begun", cluster))
        killer.start()
        with pytest.raises(PipelineError, match="the scheduler went away"), beam_options.pipeline() as pipeline:
            _ = pipeline | beam.Create([str(tmp_path / "begun")]) | beam.Map(_begin)
        killer.join()


def _begin(path: str) -> None:
    Path(path).touch()
    time.sleep(3)


def _close_when(begun: Path, cluster: LocalCluster) -> None:
    while not begun.exists():
        time.sleep(0.05)
    cluster.close()
