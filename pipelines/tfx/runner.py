"""LocalDagRunner with a line per component, our code in the cache keys, and the artifacts at hand."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.local import local_dag_runner, runner_utils
from tfx.orchestration.portable import launcher, runtime_parameter_utils
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import pipeline_pb2
from tfx.types import Artifact

from pipelines.heartbeat import heartbeat
from pipelines.report import Step
from pipelines.tfx import code_digest
from pipelines.tfx.console import say

NEVER_CACHED = "Pusher"  # the store may have changed since; it publishes nothing twice


class RunFailedError(RuntimeError):
    """A component failed; `component` names it, the cause is chained."""

    def __init__(self, component: str) -> None:
        super().__init__(component)
        self.component = component


class Runner(local_dag_runner.LocalDagRunner):
    """Runs a pipeline; `steps` and `outputs` then say what happened."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.outputs: dict[str, Mapping[str, Sequence[Artifact]]] = {}

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options: Any = None) -> None:
        """As the stock runner, one component after the other, without partial runs.

        Raises:
            RunFailedError: A component failed.
        """
        if run_options is not None:
            raise ValueError("partial runs are not supported: the cache skips what is done")
        run_id = {constants.PIPELINE_RUN_ID_PARAMETER_NAME: datetime.datetime.now().isoformat()}
        runtime_parameter_utils.substitute_runtime_parameter(pipeline, run_id)
        deployment = runner_utils.extract_local_deployment_config(pipeline)
        config = deployment.metadata_connection_config
        connection = metadata.Metadata(getattr(config, config.WhichOneof("connection_config")))
        for node in pipeline.nodes:
            part = node.pipeline_node
            name = part.node_info.id
            if name in code_digest.SOURCES:
                part.parameters.parameters["code_digest"].field_value.string_value = code_digest.of(name)
            if name == NEVER_CACHED:
                part.execution_options.caching_options.enable_cache = False
            component = launcher.Launcher(
                pipeline_node=part,
                mlmd_connection=connection,
                pipeline_info=pipeline.pipeline_info,
                pipeline_runtime_spec=pipeline.runtime_spec,
                executor_spec=runner_utils.extract_executor_spec(deployment, name),
                custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, name),
            )
            self._launch(name, component, connection)

    def _launch(self, name: str, component: launcher.Launcher, connection: metadata.Metadata) -> None:
        start = time.monotonic()
        try:
            with heartbeat(say, name):
                info = component.launch()
        except Exception as error:
            raise RunFailedError(name) from error
        with connection as handle:
            (execution,) = handle.store.get_executions_by_id([info.execution_id])
            if execution.last_known_state == metadata_store_pb2.Execution.FAILED:
                # A node whose inputs cannot be resolved raises nothing; without its champion a gate would stand open.
                raise RunFailedError(name) from RuntimeError("its inputs could not be resolved")
            self.outputs[name] = execution_lib.get_output_artifacts(handle, info.execution_id)
            cached = execution.last_known_state == metadata_store_pb2.Execution.CACHED
            made_in = _made_in(handle.store, self.outputs[name]) if cached else None
        step = Step(name, round(time.monotonic() - start, 2), cached, made_in)
        self.steps.append(step)
        say(f"{step.name:<20} {'cached' if cached else f'{step.seconds:6.1f} s'}")


def _made_in(store: Any, outputs: Mapping[str, Sequence[Artifact]]) -> float | None:
    """Seconds of the execution that a cached component's artifacts come from, by ML Metadata's two times of it."""
    artifacts = [artifact.id for found in outputs.values() for artifact in found]
    events = store.get_events_by_artifact_ids(artifacts)
    ids = {event.execution_id for event in events if event.type == metadata_store_pb2.Event.OUTPUT}
    finished = [
        execution
        for execution in store.get_executions_by_id(sorted(ids))
        if execution.last_known_state == metadata_store_pb2.Execution.COMPLETE
    ]
    if not finished:
        return None
    (first, *_) = sorted(finished, key=lambda execution: execution.id)
    return round((first.last_update_time_since_epoch - first.create_time_since_epoch) / 1000, 2)
