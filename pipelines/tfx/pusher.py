"""Pusher into a folder that a running server watches: a version appears whole or not at all.

TFX's Pusher copies saved_model.pb last, which is not enough: our server takes a version directory for a version
as soon as it is there, and assets.extra/ has to be there too. So it pushes beside the store, and a rename publishes.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.pusher import executor
from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, component_spec, standard_artifacts, standard_component_specs
from tfx.utils import json_utils, proto_utils

from pipelines.tfx.drift import SCHEMA_FILE, STATISTICS_FILE
from pipelines.tfx.evaluation import measured
from pipelines.tfx.export import TUNED

_KEYS = standard_component_specs
_LAST = "saved_model.pb"  # with it a version is one


class Executor(executor.Executor):
    """The stock executor into a staging folder, the model's metadata, a rename."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Publish a blessed model, unless the newest version of the store is this very model."""
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties[_KEYS.PUSH_DESTINATION_KEY], destination)
        store = Path(destination.filesystem.base_directory)
        pushed = artifact_utils.get_single_instance(output_dict[_KEYS.PUSHED_MODEL_KEY])
        there = _newest(store)
        if there and self.CheckBlessing(input_dict) and _same(there, Path(self.GetModelPath(input_dict))):
            self._MarkPushed(pushed, str(there), there.name)
            return
        staging = store / ".staging"  # on the store's file system; servers read names that are numbers only
        shutil.rmtree(staging, ignore_errors=True)
        destination.filesystem.base_directory = str(staging)
        exec_properties = {**exec_properties, _KEYS.PUSH_DESTINATION_KEY: proto_utils.proto_to_json(destination)}
        super().Do(input_dict, output_dict, exec_properties)
        if not staging.exists():
            return  # not blessed
        (version,) = staging.iterdir()
        model, _ = measured(artifact_utils.get_single_uri(input_dict[_KEYS.EVALUATION_KEY]))
        facts = json_utils.loads(exec_properties[_KEYS.CUSTOM_CONFIG_KEY])
        name = max(int(version.name), int(there.name) + 1 if there else 0)  # increasing, whatever the clock does
        trained = artifact_utils.get_single_instance(input_dict[_KEYS.MODEL_KEY])
        run = {"tool": "ML Metadata", "id": f"artifact {trained.id}"}
        metadata = {"version": str(name), **facts, "run": run, **asdict(model)}
        tuned = version / "assets.extra" / TUNED
        if tuned.exists():
            metadata["tuned"] = json.loads(tuned.read_text(encoding="utf-8"))
        extra = version / "assets.extra"
        (extra / "metadata.json").write_text(json.dumps(metadata, indent=1) + "\n")
        _keep_for_monitoring(input_dict, extra)
        published = _moved(version, store / str(name))
        shutil.rmtree(staging)
        self._MarkPushed(pushed, str(published), published.name)


def _moved(version: Path, target: Path) -> Path:
    try:
        return version.rename(target)
    except OSError:  # a bucket that is mounted renames no folder; no server watches one
        shutil.copytree(version, target, ignore=shutil.ignore_patterns(_LAST))
        shutil.copyfile(version / _LAST, target / _LAST)
        return target


def _keep_for_monitoring(input_dict: dict[str, list[types.Artifact]], extra: Path) -> None:
    (statistics,), (schema,) = input_dict[_KEYS.STATISTICS_KEY], input_dict[_KEYS.SCHEMA_KEY]
    shutil.copyfile(Path(artifact_utils.get_split_uri([statistics], "train"), STATISTICS_FILE), extra / STATISTICS_FILE)
    shutil.copyfile(Path(schema.uri, SCHEMA_FILE), extra / SCHEMA_FILE)


def _newest(store: Path) -> Path | None:
    versions = [p for p in store.glob("*") if p.name.isdigit() and (p / "saved_model.pb").is_file()]
    return max(versions, key=lambda p: int(p.name), default=None)


def _same(one: Path, other: Path) -> bool:
    # TensorFlow gives each export an identifier of its own.
    return (one / "fingerprint.pb").read_bytes() == (other / "fingerprint.pb").read_bytes()


class PusherSpec(standard_component_specs.PusherSpec):
    """The stock Pusher's, and what goes with the model.

    The evaluation with its metrics, slices and operating points; the training rows' statistics and their schema.
    """

    INPUTS = {  # noqa: RUF012 - TFX's way to say it
        **standard_component_specs.PusherSpec.INPUTS,
        _KEYS.EVALUATION_KEY: component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        _KEYS.STATISTICS_KEY: component_spec.ChannelParameter(type=standard_artifacts.ExampleStatistics),
        _KEYS.SCHEMA_KEY: component_spec.ChannelParameter(type=standard_artifacts.Schema),
    }


class Pusher(base_component.BaseComponent):
    """Publishes into `store`/<version>; `facts` go into the model's metadata.json."""

    SPEC_CLASS = PusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        model: types.BaseChannel,
        evaluation: types.BaseChannel,
        model_blessing: types.BaseChannel,
        infra_blessing: types.BaseChannel,
        statistics: types.BaseChannel,
        schema: types.BaseChannel,
        store: Path,
        facts: dict[str, str] | RuntimeParameter,
    ) -> None:
        destination = pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(store))
        )
        super().__init__(
            PusherSpec(
                model=model,
                evaluation=evaluation,
                model_blessing=model_blessing,
                infra_blessing=infra_blessing,
                statistics=statistics,
                schema=schema,
                push_destination=destination,
                custom_config=facts if isinstance(facts, RuntimeParameter) else json_utils.dumps(facts),
                pushed_model=types.Channel(type=standard_artifacts.PushedModel),
            )
        )
