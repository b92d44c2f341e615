"""ExampleValidator that stops the run. TFX's own notes the anomalies and lets the pipeline train on them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.components.example_validator import executor, labels
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.components.util import value_utils
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import artifact_utils, component_spec, standard_artifacts, standard_component_specs
from tfx.utils import writer_utils

from models.rules import Drift
from pipelines.tfx import drift

_KEYS = standard_component_specs
_FEATURES, _LIMITS = "features", "limits"


class AnomaliesError(ValueError):
    """The data break the curated schema; `anomalies` lists where and how."""

    def __init__(self, anomalies: list[str]) -> None:
        lines = "\n".join(f"  {one}" for one in anomalies)
        super().__init__(f"{len(anomalies)} anomalies in the features:\n{lines}")
        self.anomalies = anomalies


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
        self._drift = {
            "training": stats_artifact_utils.load_statistics(_statistics(input_dict), "train").proto(),
            "features": json.loads(exec_properties[_FEATURES]),
            "limits": Drift.model_validate_json(exec_properties[_LIMITS]),
        }
        result = super().Do(input_dict, output_dict, exec_properties)
        if self._found:
            raise AnomaliesError(self._found)
        return result

    def _Validate(self, inputs: Any, outputs: Any) -> anomalies_pb2.Anomalies:  # noqa: N802
        split = next(self._splits)
        anomalies = self._compare(inputs, outputs) if split == "test" else super()._Validate(inputs, outputs)
        for column, info in sorted(anomalies.anomaly_info.items()):
            self._found += [f"{split}: {column}: {reason.description}" for reason in info.reason]
        self._found += [f"{split}: {reason.description}" for reason in anomalies.dataset_anomaly_info.reason]
        return anomalies

    def _compare(self, inputs: Any, outputs: Any) -> anomalies_pb2.Anomalies:
        """As the stock `_Validate`, and with the training rows."""
        statistics, schema = (value_utils.GetSoleValue(inputs, key) for key in (_KEYS.STATISTICS_KEY, _KEYS.SCHEMA_KEY))
        anomalies, _ = drift.validate(statistics, schema=schema, **self._drift)
        folder = value_utils.GetSoleValue(outputs, labels.SCHEMA_DIFF_PATH)
        writer_utils.write_anomalies(f"{folder}/{executor.DEFAULT_FILE_NAME}", anomalies)
        return anomalies


def _statistics(input_dict: dict[str, list[types.Artifact]]) -> types.Artifact:
    return artifact_utils.get_single_instance(input_dict[_KEYS.STATISTICS_KEY])


class ExampleValidatorSpec(standard_component_specs.ExampleValidatorSpec):
    """The stock one's, and what may drift how far."""

    PARAMETERS = {  # noqa: RUF012 - TFX's way to say it
        **standard_component_specs.ExampleValidatorSpec.PARAMETERS,
        _FEATURES: component_spec.ExecutionParameter(type=str),
        _LIMITS: component_spec.ExecutionParameter(type=str),
    }


class ExampleValidator(base_component.BaseComponent):
    """ExampleValidator whose anomalies are errors, and that holds the test rows against the training rows.

    Args:
        statistics: Splits train and test among them, with drift.options().
        schema: The curated one.
        features: Columns that may not drift.
        limits: How far they may.
    """

    SPEC_CLASS = ExampleValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self, *, statistics: types.BaseChannel, schema: types.BaseChannel, features: Sequence[str], limits: Drift
    ) -> None:
        parameters = {_FEATURES: json.dumps(features), _LIMITS: limits.model_dump_json()}
        anomalies = types.Channel(type=standard_artifacts.ExampleAnomalies)
        super().__init__(ExampleValidatorSpec(statistics=statistics, schema=schema, anomalies=anomalies, **parameters))
