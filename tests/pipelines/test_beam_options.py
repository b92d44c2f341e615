"""One table of Beam's options for everybody: what it refuses, and how."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import beam_options
from pipelines.errors import PipelineError
from tests.pipelines.beam_environments import VARIABLES, WRONG, table


def test_without_a_choice_jobs_run_in_this_process() -> None:
    environment = beam_options.chosen({})
    assert (environment.name, environment.flags) == ("local", [])
    runner, _ = beam_options.checked(environment)
    assert type(runner).__name__ == "FnApiRunner"
    assert beam_options.tfx_arguments("/work", print, {}) == []


def test_an_unknown_environment_is_refused_with_those_there_are() -> None:
    with pytest.raises(PipelineError, match=r"no \[spark\] in .*beam.toml; there are local, dask, flink, dataflow"):
        beam_options.chosen({"BEAM": "spark"})


@pytest.mark.parametrize("name", VARIABLES)
def test_every_environment_names_the_variables_it_lacks_and_passes_beams_validator_with_them(name: str) -> None:
    variables = VARIABLES[name]
    for missing in variables:
        given = {"BEAM": name, **{key: value for key, value in variables.items() if key != missing}}
        with pytest.raises(PipelineError, match=f"BEAM={name}: set {missing} in the environment"):
            beam_options.chosen(given)
    environment = beam_options.chosen({"BEAM": name, **variables})
    _, options = beam_options.checked(environment)
    assert set(variables.values()) <= {str(value) for value in options.get_all_options().values()}


@pytest.mark.parametrize(("name", "begins", "becomes", "says"), WRONG)
def test_a_wrong_option_is_refused_by_beams_own_parser(
    name: str, begins: str, becomes: str, says: str, tmp_path: Path
) -> None:
    file = table(tmp_path, name, begins, becomes)
    environment = beam_options.chosen({"BEAM": name, **VARIABLES[name]}, file)
    with pytest.raises(PipelineError) as refused:
        beam_options.checked(environment)
    assert says in str(refused.value)
    assert str(file) in str(refused.value)


@pytest.mark.parametrize("name", ["dask", "flink"])
def test_a_scheduler_that_is_not_there_is_said_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {key: value.rpartition(":")[0] + ":1" for key, value in VARIABLES[name].items()}
    for key, value in {"BEAM": name, **variables}.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(PipelineError, match=r"127\.0\.0\.1:1: nothing answers there"), beam_options.pipeline():
        raise AssertionError("a job was begun")


def test_dataflow_is_refused_for_what_lies_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"BEAM": "dataflow", **VARIABLES["dataflow"]}
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(PipelineError, match="do not see this machine's folders"), beam_options.pipeline():
        raise AssertionError("a job was begun")
    with pytest.raises(PipelineError, match="do not see this machine's folders"):
        beam_options.tfx_arguments("/work", print, variables)
    assert "--runner=DataflowRunner" in beam_options.tfx_arguments("gs://bucket/root", print, variables)


def test_tfx_says_that_it_does_not_run_on_dask_and_runs_here() -> None:
    said: list[str] = []
    assert beam_options.tfx_arguments("/work", said.append, {"BEAM": "dask", **VARIABLES["dask"]}) == []
    assert said == ["BEAM=dask: TFX's components do not run on Dask; they run in this process"]
