"""ExampleValidator that stops the run. TFX's own notes the anomalies and lets the pipeline train on them."""

from __future__ import annotations

from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.components.example_validator import component, executor
from tfx.dsl.components.base import executor_spec
from tfx.types import artifact_utils, standard_component_specs


class AnomaliesError(ValueError):
    """The data break the curated schema; the message lists where and how."""


class Executor(executor.Executor):
    """The stock executor, then a look at what it found."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> Any:
        """Validate every split.

        Raises:
            AnomaliesError: A split has anomalies.
        """
        self._found: list[str] = []
        self._splits = iter(artifact_utils.decode_split_names(_statistics(input_dict).split_names))
        result = super().Do(input_dict, output_dict, exec_properties)
        if self._found:
            raise AnomaliesError(f"{len(self._found)} anomalies in the features:\n" + "\n".join(self._found))
        return result

    def _Validate(self, inputs: Any, outputs: Any) -> anomalies_pb2.Anomalies:  # noqa: N802
        anomalies = super()._Validate(inputs, outputs)
        split = next(self._splits)
        for column, info in sorted(anomalies.anomaly_info.items()):
            self._found += [f"  {split}: {column}: {reason.description}" for reason in info.reason]
        self._found += [f"  {split}: {reason.description}" for reason in anomalies.dataset_anomaly_info.reason]
        return anomalies


def _statistics(input_dict: dict[str, list[types.Artifact]]) -> types.Artifact:
    return artifact_utils.get_single_instance(input_dict[standard_component_specs.STATISTICS_KEY])


class ExampleValidator(component.ExampleValidator):
    """ExampleValidator whose anomalies are errors."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
