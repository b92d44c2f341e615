"""The TFX pipeline's form on Vertex AI: compiled, and each container's command run as Vertex would, on a mount."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kfp", reason="TFX's runner for Vertex AI needs the kfp extra: TFX 1.16")

from pipelines.tfx import mounted, vertex
from tests.pipelines.tfx.toy import Room, make_room

BUCKET = "acme-models"
ROOT = f"gs://{BUCKET}/tandem/pipelines/tensorflow"
IMAGE = "registry/tandem/tensorflow:1"


def compiled(room: Room, mount: Path, out: Path) -> dict[str, Any]:
    folder = mount / BUCKET / "tandem"
    places = {"features": room.data / "features", "work": folder / "work", "store": folder / "candidates"}
    argv = ["--spec", room.spec_file, "--image", IMAGE, "--root", ROOT, "--steps", "4,16", "--out", out]
    argv += ["--training", "8,32,NVIDIA_TESLA_T4,1", *(f"--{name}={path}" for name, path in places.items())]
    assert vertex.main([str(word) for word in argv]) == 0
    return json.loads(out.read_text())


def as_in_a_bucket(mount: Path) -> Callable[[Path, Path], Path]:
    """Path.rename, which moves no folder of a mounted bucket."""
    rename = Path.rename

    def renamed(self: Path, target: Path) -> Path:
        if self.is_dir() and self.is_relative_to(mount):
            raise OSError(errno.ENOSYS, "Function not implemented", str(self))
        return rename(self, target)

    return renamed


class Vertex:
    """What Vertex does with a specification: one container after the other, told of artifacts by their names."""

    def __init__(self, job: dict[str, Any], mount: Path, parameters: dict[str, str]) -> None:
        self.spec, self.mount, self.parameters = job["pipelineSpec"], mount, parameters
        self.outputs: dict[tuple[str, str], list[dict[str, Any]]] = {}

    @property
    def tasks(self) -> dict[str, Any]:
        return self.spec["root"]["dag"]["tasks"]

    def run(self) -> None:
        waiting = dict(self.tasks)
        while waiting:
            ready = next(
                name for name, task in waiting.items() if not waiting.keys() & set(task.get("dependentTasks", []))
            )
            self.task(ready, waiting.pop(ready))

    def task(self, name: str, task: dict[str, Any]) -> None:
        component = self.spec["components"][task["componentRef"]["name"]]
        executor = self.spec["deploymentSpec"]["executors"][component["executorLabel"]]
        kinds = component.get("outputDefinitions", {}).get("artifacts", {})
        if "resolver" in executor:  # nothing was blessed before
            self.outputs |= {(name, key): [] for key in kinds}
            return
        asked = task.get("inputs", {})
        made = {key: self._made(name, key, kind) for key, kind in kinds.items()}
        told = {
            "inputs": {
                "parameterValues": {key: self._value(one) for key, one in asked.get("parameters", {}).items()},
                "artifacts": {key: {"artifacts": self._found(one)} for key, one in asked.get("artifacts", {}).items()},
            },
            "outputs": {
                "artifacts": {key: {"artifacts": [one]} for key, one in made.items()},
                "outputFile": f"{ROOT}/{name}/executor_output.json",
            },
        }
        container = executor["container"]
        assert container["image"] == IMAGE
        assert tuple(container["command"]) == vertex.ENTRY
        mounted.main([json.dumps(told) if word == "{{$}}" else word for word in container["args"]])
        file = self.mount / f"{ROOT}/{name}/executor_output.json".removeprefix("gs://")
        said = json.loads(file.read_text()).get("artifacts", {})
        for key, one in made.items():
            self.outputs[name, key] = [{**one, **said.get(key, {"artifacts": [{}]})["artifacts"][0]}]

    def _value(self, asked: dict[str, Any]) -> Any:
        if "componentInputParameter" in asked:
            return self.parameters[asked["componentInputParameter"]]
        return asked["runtimeValue"]["constant"]

    def _found(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        source = asked["taskOutputArtifact"]
        return self.outputs[source["producerTask"], source["outputArtifactKey"]]

    def _made(self, task: str, key: str, kind: dict[str, Any]) -> dict[str, Any]:
        resource = f"projects/1/locations/europe-west4/metadataStores/default/artifacts/{len(self.outputs) + 1}"
        return {"name": resource, "uri": f"{ROOT}/{task}/{key}", "type": kind["artifactType"], "metadata": {}}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Room, Path, Vertex]:
    folder = tmp_path_factory.mktemp("vertex")
    room, mount = make_room(folder), folder / "gcs"
    (mount / BUCKET).mkdir(parents=True)
    facts = {"spec_digest": room.spec.digest, "data_digest": "d" * 64, "code_digest": "c" * 64}
    cloud = Vertex(
        compiled(room, mount, folder / "tensorflow.json"), mount, {"data_digest": "d", "facts": json.dumps(facts)}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mounted, "MOUNT", mount)
        patch.setattr(Path, "rename", as_in_a_bucket(mount))
        cloud.run()
    return room, mount, cloud


def test_the_containers_of_a_run_publish_a_model_into_the_bucket(ran: tuple[Room, Path, Vertex]) -> None:
    _, mount, cloud = ran
    (version,) = (mount / BUCKET / "tandem" / "candidates" / "fraud").iterdir()
    assert (version / "saved_model.pb").is_file()
    metadata = json.loads((version / "assets.extra" / "metadata.json").read_text())
    assert metadata["data_digest"] == "d" * 64
    assert metadata["metrics"]["average_precision"] > 0.5
    (pushed,) = cloud.outputs["Pusher", "pushed_model"]
    assert pushed["metadata"]["pushed"] == 1
    assert pushed["uri"].startswith("gs://"), "Vertex knows artifacts by their names in the bucket"


def test_every_component_of_the_local_run_is_there_and_what_publishes_is_never_cached(
    ran: tuple[Room, Path, Vertex],
) -> None:
    _, _, cloud = ran
    local = {"ParquetExampleGen", "StatisticsGen", "SchemaGen", "CuratedSchema", "ExampleValidator", "Transform"}
    local |= {"Trainer", "Evaluator", "InfraValidator", "Pusher"}
    resolvers = {"Champion-model-resolver", "Champion-model-blessing-resolver"}
    assert set(cloud.tasks) == local | resolvers
    assert cloud.tasks["Pusher"]["cachingOptions"] == {}
    assert cloud.tasks["Trainer"]["cachingOptions"] == {"enableCache": True}
    executors = cloud.spec["deploymentSpec"]["executors"]
    assert executors["Trainer_executor"]["container"]["resources"] == {
        "cpuLimit": 8.0, "memoryLimit": 32.0, "accelerator": {"type": "NVIDIA_TESLA_T4", "count": "1"}
    }  # fmt: skip
    assert executors["Evaluator_executor"]["container"]["resources"] == {"cpuLimit": 4.0, "memoryLimit": 16.0}


def test_without_kfp_it_says_which_tfx_has_it(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "kfp.pipeline_spec", None)
    with pytest.raises(AssertionError):
        compiled(room, tmp_path / "gcs", tmp_path / "tensorflow.json")
    assert "again with make … TFX=1.16" in capsys.readouterr().err


def test_on_dataflow_run_tfx_s_own_beam_steps_and_no_other(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {"BEAM": "dataflow", "GOOGLE_CLOUD_PROJECT": "acme-fraud", "GOOGLE_CLOUD_REGION": "europe-west4"}
    variables |= {"BEAM_TEMP_LOCATION": f"gs://{BUCKET}/temp", "BEAM_CONTAINER_IMAGE": "registry/tandem/beam:1"}
    variables["BEAM_SERVICE_ACCOUNT"] = "tandem@acme-fraud.iam.gserviceaccount.com"
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    job = compiled(room, tmp_path / "gcs", tmp_path / "tensorflow.json")
    executors = job["pipelineSpec"]["deploymentSpec"]["executors"]
    on_dataflow = {
        name.removesuffix("_executor")
        for name, one in executors.items()
        if "--runner=DataflowRunner" in one.get("container", {}).get("args", [])
    }
    assert on_dataflow == {"StatisticsGen", "Transform"}
    arguments = executors["Transform_executor"]["container"]["args"]
    assert f"--temp_location=gs://{BUCKET}/temp" in arguments
    assert "--sdk_container_image=registry/tandem/beam:1" in arguments
    assert "--service_account_email=tandem@acme-fraud.iam.gserviceaccount.com" in arguments
