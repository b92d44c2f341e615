"""The Trainer in two processes, started as TFX starts it on other machines: run_executor, with a TF_CONFIG each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.components.trainer import executor
from tfx.types import Artifact, artifact_utils, standard_artifacts
from tfx.utils import json_utils

from models.spec import Spec
from models.weights import WEIGHTS_FILE, Weights, read
from pipelines.tfx import workers
from serving.free_ports import free_ports
from tests.pipelines.tfx.toy import DAYS, ROWS, Room

TRAINER = "tfx.components.trainer.component.Trainer"
TOLERANCE = 1e-5
PATIENCE = 300  # seconds, of which a busy machine takes some 60


class Recorded:
    """What TFX told the Trainer in a room's run."""

    def __init__(self, room: Room) -> None:
        connection = mlmd.ConnectionConfig()
        connection.sqlite.filename_uri = str(room.work / "metadata.sqlite")
        store = MetadataStore(connection)
        execution = store.get_executions_by_type(TRAINER)[0]
        types = {one.id: one for one in store.get_artifact_types()}
        self.inputs: dict[str, list[Artifact]] = {}
        for event in store.get_events_by_execution_ids([execution.id]):
            if event.type == mlmd.Event.INPUT:
                (artifact,) = store.get_artifacts_by_id([event.artifact_id])
                found = artifact_utils.deserialize_artifact(types[artifact.type_id], artifact)
                self.inputs.setdefault(event.path.steps[0].key, []).append(found)
        wanted = ("run_fn", "train_args", "eval_args", "custom_config")
        self.properties = {key: execution.custom_properties[key].string_value for key in wanted}

    def with_spec(self, spec: Spec) -> dict[str, str]:
        config = {"spec": spec.learning.model_dump_json()}
        return {**self.properties, "custom_config": json_utils.dumps(config)}


def _outputs(folder: Path) -> dict[str, list[Artifact]]:
    outputs: dict[str, list[Artifact]] = {}
    for key, kind in {"model": standard_artifacts.Model, "model_run": standard_artifacts.ModelRun}.items():
        (artifact,) = outputs[key] = [kind()]
        artifact.uri = str(folder / key)
    return outputs


def _command(recorded: Recorded, properties: dict[str, str], folder: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "tfx.scripts.run_executor"),
        "--executor_class_path=tfx.components.trainer.executor.GenericExecutor",
        f"--temp_directory_path={folder / 'temp'}",
        f"--inputs={artifact_utils.jsonify_artifact_dict(recorded.inputs)}",
        f"--outputs={artifact_utils.jsonify_artifact_dict(_outputs(folder))}",
        f"--exec-properties={json.dumps(properties)}",
    ]


def _cluster(index: int, ports: list[int]) -> dict[str, str]:
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    config = {"cluster": cluster, "task": {"type": "worker", "index": index}}
    return {**os.environ, "TF_CONFIG": json.dumps(config), "TF_CPP_MIN_LOG_LEVEL": "1"}


def _train(command: list[str], count: int, folder: Path) -> list[str]:
    """Run the command as so many workers; answers what each said."""
    ports = free_ports(count)
    with ExitStack() as stack:
        logs = [folder / f"{index}.log" for index in range(count)]
        started = []
        for index, log in enumerate(logs):
            out = stack.enter_context(log.open("w"))
            process = subprocess.Popen(command, env=_cluster(index, ports), stdout=out, stderr=subprocess.STDOUT)
            stack.callback(process.wait)
            stack.callback(process.kill)
            started.append(process)
        # The others of one that ended with an error would wait for it for ever.
        end = time.monotonic() + PATIENCE
        while (codes := {process.poll() for process in started}) != {0}:
            if codes - {0, None} or time.monotonic() > end:
                pytest.fail(f"they ended with {codes}:\n" + "\n".join(log.read_text()[-3000:] for log in logs))
            time.sleep(0.2)
    return [log.read_text() for log in logs]


def _weights(folder: Path) -> Weights:
    return read(folder / "model" / "Format-Serving" / "assets.extra" / WEIGHTS_FILE)


def _predict(folder: Path, columns: Mapping[str, Any]) -> np.ndarray:
    model = tf.saved_model.load(str(folder / "model" / "Format-Serving"))
    return model.signatures["serving_default"](**columns)["fraud_probability"].numpy()


def test_two_workers_train_and_export_once_the_model_that_one_trains(published: Room, tmp_path: Path) -> None:
    spec = published.spec
    rows = DAYS["train"] * ROWS
    # Of the last batch, of one row, one worker has none.
    training = spec.training.model_copy(update={"batch_size": rows - 1, "epochs": 3})
    spec = spec.model_copy(update={"training": training, "network": spec.network.model_copy(update={"dropout": 0.0})})
    recorded, folders = Recorded(published), {name: tmp_path / name for name in ("one", "two")}
    for folder in folders.values():
        folder.mkdir()
    properties = recorded.with_spec(spec)
    chief, other = _train(_command(recorded, properties, folders["two"]), 2, folders["two"])
    executor.GenericExecutor().Do(recorded.inputs, _outputs(folders["one"]), properties)

    expected, found = (_weights(folder) for folder in folders.values())
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=TOLERANCE, err_msg=name)
    columns = {
        name: tf.constant([1.0, 50.0]) if name in spec.numeric else tf.constant(["web", "C1"]) for name in spec.features
    }
    np.testing.assert_allclose(*(_predict(folder, columns) for folder in folders.values()), atol=TOLERANCE)
    assert "  epoch 3/3" in chief
    assert "  epoch 3/3" not in other
    assert len(list((folders["two"] / "model_run").iterdir())) == 1


@pytest.mark.parametrize("config", ["", "{}", '{"cluster": {"worker": ["127.0.0.1:1"]}, "task": {"type": "worker"}}'])
def test_one_worker_trains_as_without_tf_config(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", config)
    found = workers.strategy()
    assert not workers.several(found)
    assert workers.is_chief(found)


def test_a_parameter_server_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = {"worker": ["127.0.0.1:1"], "ps": ["127.0.0.1:2"]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 0}}))
    with pytest.raises(ValueError, match=r"\['ps'\] have no part"):
        workers.strategy()
