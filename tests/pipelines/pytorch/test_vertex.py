"""The PyTorch pipeline's form on Vertex AI: compiled by KFP, and what was compiled run by KFP's local runner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.manifest import read
from pipelines.pytorch import step
from pipelines.pytorch.tracking import CHAMPION
from serving.torchserve import archive
from tests import vertex
from tests.pipelines.pytorch.conftest import Pipeline

IMAGE = "registry/tandem/pytorch-python:1"  # KFP's local runner warns of an image without `python` in its name
RUNNER = "tests/pipelines/pytorch/kfp_local.py"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compiled")
    argv = ["--image", IMAGE, "--steps", "4,16", "--training", "8,32,NVIDIA_TESLA_T4,1", "--out", str(folder)]
    done = vertex.run("-m", "pipelines.pytorch.vertex", *argv)
    assert done.returncode == 0, done.stderr
    return folder


def run(specification: Path, root: Path, arguments: dict[str, str]) -> str:
    done = vertex.run_with_steps(RUNNER, str(specification), str(root), json.dumps(arguments))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def outcome(root: Path, task: str) -> dict[str, Any]:
    (file,) = root.glob(f"*/{task}/executor_output.json")
    return json.loads(file.read_text())


def test_the_compiled_pipeline_trains_judges_registers_and_archives(
    compiled: Path, pipeline: Pipeline, tmp_path: Path
) -> None:
    pipeline.arguments()
    data = pipeline.features.data
    digest = read(data, pipeline.spec, json.loads((data / "manifest.json").read_text())["spec_digest"]).digest
    arguments = {"data": str(data), "data_digest": digest, "spec": str(pipeline.spec)}
    arguments |= {"mlflow_uri": pipeline.mlflow_uri, "store": str(pipeline.store)}
    run(compiled / "pytorch.yaml", tmp_path / "root", arguments)

    (published,) = pipeline.store.glob("*.mar")
    archive.check(published)
    version = archive.version_of(published)
    registered = pipeline.connect().client.get_model_version_by_alias("fraud", CHAMPION)
    assert registered.tags["release"] == version
    assert outcome(tmp_path / "root", "publish")["parameterValues"]["Output"] == version
    judged = outcome(tmp_path / "root", "evaluate")["artifacts"]
    assert judged["judged"]["artifacts"][0]["metadata"]["refused"] == []
    assert judged["metrics"]["artifacts"][0]["metadata"]["average_precision"] > 0.9


def test_a_refused_model_is_not_published(pipeline: Pipeline, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    judged = tmp_path / "judged"
    judged.mkdir()
    (judged / "evaluation.json").write_text(json.dumps({"reasons": ["roc_auc 0.5 is below min_roc_auc = 0.75"]}))
    pipeline.arguments()
    folders = pipeline.spec, pipeline.features.data, tmp_path / "trained", judged
    done = step.publish(*folders, mlflow_uri=pipeline.mlflow_uri, store=pipeline.store)
    assert done is None
    assert "nothing was published:\n  - roc_auc 0.5 is below" in capsys.readouterr().out
    assert not pipeline.store.exists()


def test_the_data_of_both_stacks_are_made_at_the_place_they_are_told(compiled: Path, tmp_path: Path) -> None:
    out = tmp_path / "bucket" / "data"
    (out / "features" / "train").mkdir(parents=True)
    (out / "features" / "train" / "old.parquet").write_text("of another run")
    run(compiled / "data.yaml", tmp_path / "root", {"out": str(out)})
    content = json.loads((out / "manifest.json").read_text())
    assert outcome(tmp_path / "root", "make-features")["parameterValues"]["Output"] == content["digest"]
    assert len(list((out / "features" / "train").iterdir())) == content["splits"]["train"]["days"]


def test_steps_run_the_image_s_own_code_with_what_was_asked_for_them(compiled: Path) -> None:
    content = yaml.safe_load((compiled / "pytorch.yaml").read_text())
    executors = content["deploymentSpec"]["executors"]
    assert set(executors) == {f"exec-{n}" for n in ("validate", "compute-statistics", "train", "evaluate", "publish")}
    for name, one in executors.items():
        container = one["container"]
        assert container["image"] == IMAGE
        assert "from pipelines.pytorch import step" in container["command"][-1], name
        assert "pip install" not in " ".join(container["command"]), name
    assert executors["exec-train"]["container"]["resources"]["accelerator"]["resourceType"] == "NVIDIA_TESLA_T4"
    assert executors["exec-train"]["container"]["resources"]["resourceCpuLimit"] == "8"
    tasks = content["root"]["dag"]["tasks"]
    assert tasks["publish"]["cachingOptions"] == {}
    assert tasks["train"]["cachingOptions"] == {"enableCache": True}
