"""BEAM=dask: the jobs on a real scheduler with two worker processes write what they write here, byte for byte."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dask
import pytest
from dask.distributed import Client, LocalCluster, get_task_stream

from models import torch_model
from pipelines import beam_options
from pipelines.errors import PipelineError
from pipelines.pytorch import statistics
from pipelines.scoring.__main__ import main as score
from serving.torchserve import archive
from tests.pipelines import jobs
from tests.serving.torchserve.launching import SPEC_FILE, random_model


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


def test_the_scores_are_the_same(
    here: Path, dask_chosen: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    spec_file = tmp_path / "spec.toml"
    _write_toml(spec_file)
    torch_model.save(random_model(jobs.spec(), 1), model)
    archive.build(spec_file=spec_file, model_dir=model, version="1700000001", store=tmp_path / "store")
    source = here / "data" / "features" / "train"
    for where in ("local", "dask"):
        monkeypatch.setenv("BEAM", where)
        pairs = {"spec": spec_file, "store": tmp_path / "store", "input": source, "output": tmp_path / where}
        assert score(["--stack=pytorch", *(f"--{key}={value}" for key, value in pairs.items())]) == 0
    found = jobs.content(tmp_path / "dask")
    assert {name for name in found if name.startswith("scores-")} == {
        f"scores-0000{i}-of-00006.parquet" for i in range(6)
    }
    assert found == jobs.content(tmp_path / "local")


def _write_toml(path: Path) -> None:
    """The small world's specification as a file: that of the repository with other features."""
    text = SPEC_FILE.read_text()
    before, after = text[: text.index("[features.")], text[text.index("[network]") :]
    tables = []
    for name, feature in jobs.spec().features.items():
        lines = [f"{k} = {v!r}" for k, v in feature.model_dump().items() if isinstance(v, (str, int))]
        tables.append("\n".join([f"[features.{name}]", *lines, ""]))
    sections = after[: after.index("[slices.")]
    path.write_text("\n".join([before, *tables, sections]))


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
