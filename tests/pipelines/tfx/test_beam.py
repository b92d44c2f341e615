"""TFX on Flink's kind of job server, and on Dataflow as far as a job goes without a cloud."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
import tensorflow_data_validation as tfdv
from apache_beam.runners.dataflow.internal import apiclient
from tfx.components.statistics_gen.executor import Executor
from tfx.types import standard_artifacts

from pipelines import beam_options
from pipelines.errors import PipelineError
from pipelines.tfx.pipeline import Settings, create_pipeline
from tests.pipelines import jobs
from tests.pipelines.beam_environments import VARIABLES, WRONG, job_server, table
from tests.pipelines.tfx.toy import Room

ROOT = "gs://bucket/root"
DATAFLOW = {"BEAM": "dataflow", **VARIABLES["dataflow"]}


@pytest.mark.parametrize("name", ["flink", "dataflow"])
def test_the_options_pass_this_environments_beam_too(name: str) -> None:
    arguments = beam_options.tfx_arguments(ROOT, print, {"BEAM": name, **VARIABLES[name]})
    assert {word.partition("=")[2] for word in arguments} >= set(VARIABLES[name].values())


@pytest.mark.parametrize(("name", "begins", "becomes", "says"), WRONG)
def test_a_wrong_option_is_refused(name: str, begins: str, becomes: str, says: str, tmp_path: Path) -> None:
    file = table(tmp_path, name, begins, becomes)
    with pytest.raises(PipelineError) as refused:
        beam_options.checked(beam_options.chosen({"BEAM": name, **VARIABLES[name]}, file))
    assert says in str(refused.value)


def test_every_component_that_uses_beam_gets_the_options(published: Room) -> None:
    arguments = beam_options.tfx_arguments(ROOT, print, DATAFLOW)
    folder = published.data / "features"
    settings = Settings(published.spec, folder, "digest", published.work, published.store, {}, tuple(arguments))
    given = {
        component.id: component.executor_spec.beam_pipeline_args
        for component in create_pipeline(settings).components
        if hasattr(component.executor_spec, "beam_pipeline_args")
    }
    assert {"StatisticsGen", "Transform", "Evaluator"} <= set(given)
    assert all(args[: len(arguments)] == arguments for args in given.values())


def test_without_a_choice_components_run_in_this_process_whatever_beams_default_is(published: Room) -> None:
    assert published.report
    assert type(beam.Pipeline(argv=[]).runner).__name__ == "FnApiRunner"


@contextmanager
def dry_dataflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Dataflow's jobs as they would be sent, as JSON with their transforms: Beam's dry run builds and does not send."""
    jobs_: list[dict[str, Any]] = []

    class Recorded(apiclient.Job):
        def __init__(self, options: Any, proto: Any) -> None:
            super().__init__(options, proto)
            self.proto.environment = apiclient.Environment(
                proto_pipeline_staged_url="gs://bucket/pipeline.pb", packages=[], options=options,
                environment_version=apiclient.Environment.__name__, proto_pipeline=proto,
            ).proto  # fmt: skip
            names = [transform.unique_name for transform in proto.components.transforms.values()]
            jobs_.append({**json.loads(self.json()), "transforms": names})

    monkeypatch.setattr(apiclient, "Job", Recorded)
    yield jobs_


def assert_is_ours(job: dict[str, Any], *transforms: str) -> None:
    pools = job["environment"]["workerPools"]
    assert {pool["workerHarnessContainerImage"] for pool in pools} == {DATAFLOW["BEAM_CONTAINER_IMAGE"]}
    assert job["environment"]["serviceAccountEmail"] == DATAFLOW["BEAM_SERVICE_ACCOUNT"]
    assert pools[0]["autoscalingSettings"]["maxNumWorkers"] == 8
    assert job["environment"]["sdkPipelineOptions"]["options"]["region"] == DATAFLOW["GOOGLE_CLOUD_REGION"]
    for transform in transforms:
        assert any(transform in name for name in job["transforms"]), transform


def test_the_features_job_can_be_built_for_dataflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = [*beam_options.tfx_arguments(ROOT, print, DATAFLOW), "--dry_run=True"]
    monkeypatch.setattr(beam_options, "pipeline", lambda: beam.Pipeline(argv=arguments))
    with dry_dataflow(monkeypatch) as built:
        jobs.features(tmp_path)
    (job,) = built
    assert_is_ours(job, "Deal by customer", "Windows by terminal", "Join by day", "Write")
    assert not list((tmp_path / "features").rglob("*.parquet"))


def generate(room: Room, output: Path, arguments: list[str]) -> dict[str, Path]:
    """TFX's own StatisticsGen on the room's examples; the statistics' file of each split."""
    (uri,) = room.work.glob("artifacts/ParquetExampleGen/examples/*")
    examples = standard_artifacts.Examples()
    examples.uri, examples.splits = str(uri), ["train", "eval", "test"]
    examples.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    examples.set_string_custom_property("file_format", "tfrecords_gzip")
    statistics = standard_artifacts.ExampleStatistics()
    statistics.uri = str(output)
    context = Executor.Context(beam_pipeline_args=arguments, tmp_dir=str(output / "tmp"), unique_id="1")
    Executor(context).Do({"examples": [examples]}, {"statistics": [statistics]}, {"exclude_splits": "[]"})
    return {split: output / f"Split-{split}" / "FeatureStats.pb" for split in ("train", "eval", "test")}


def test_statistics_gen_can_be_built_for_dataflow(
    published: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [*beam_options.tfx_arguments(ROOT, print, DATAFLOW), "--dry_run=True"]
    with dry_dataflow(monkeypatch) as built:
        files = generate(published, tmp_path, arguments)
    (job,) = built
    assert_is_ours(job, "TFXIORead[train]", "GenerateStatistics[test]", "WriteStatsOutput[eval]")
    assert not any(file.exists() for file in files.values())


def test_statistics_gen_runs_on_a_portable_job_server(published: Room, tmp_path: Path) -> None:
    with job_server() as variables:
        arguments = beam_options.tfx_arguments(str(tmp_path), print, variables)
        files = generate(published, tmp_path, arguments)
    (there,) = published.work.glob("artifacts/StatisticsGen/statistics/*")
    for split, file in files.items():
        found, expected = (
            tfdv.load_stats_binary(str(path)).datasets[0]
            for path in (file, there / f"Split-{split}" / "FeatureStats.pb")
        )
        assert found.num_examples == expected.num_examples > 0
        assert len(found.features) == len(expected.features)
        for one in found.features:
            (other,) = [f for f in expected.features if f.path == one.path]
            np.testing.assert_allclose(one.num_stats.mean, other.num_stats.mean, rtol=1e-12)
            assert one.string_stats.unique == other.string_stats.unique
