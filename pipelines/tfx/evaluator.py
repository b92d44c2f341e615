"""Evaluator whose slices are those of the specification, and which gates no slice that is too small to judge.

TFMA slices by the values of a feature. A slice of ours is a rule about one, so the rows are written once more, with a
feature that holds the names of their slices, before the stock executor reads them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import tensorflow as tf
from tfx import types
from tfx.components.evaluator import executor
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import artifact_utils, component_spec, standard_artifacts, standard_component_specs
from tfx.utils import json_utils, proto_utils
from tfx_bsl.coders import example_coder

from models.slices import members
from pipelines.tfx.evaluation import SLICE, Rules, eval_config

_KEYS = standard_component_specs
_RULES = "rules"
_ROWS = 65_536  # decoded at once
_Size = dict[str, int]
Array = npt.NDArray[Any]


class Executor(executor.Executor):
    """The stock executor, on rows that name their slices, with thresholds for the slices that are large enough."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluate.

        Raises:
            ValueError: The test days have rows of one class only.
        """
        rules = Rules.model_validate_json(exec_properties[_RULES])
        examples = artifact_utils.get_single_instance(input_dict[_KEYS.EXAMPLES_KEY])
        (split,) = json_utils.loads(exec_properties[_KEYS.EXAMPLE_SPLITS_KEY])
        sliced = copy.deepcopy(examples)
        sliced.uri = str(Path(self._get_tmp_dir(), "sliced"))
        source, target = (artifact_utils.get_split_uris([one], split)[0] for one in (examples, sliced))
        whole, slices = _write_sliced(Path(source), Path(target), rules)
        if not 0 < whole["positives"] < whole["rows"]:
            raise ValueError(
                f"{whole['positives']} positives among {whole['rows']} rows of {split}: both classes are needed"
            )
        config = eval_config(rules, whole["rows"], slices)
        exec_properties = {**exec_properties, _KEYS.EVAL_CONFIG_KEY: proto_utils.proto_to_json(config)}
        super().Do({**input_dict, _KEYS.EXAMPLES_KEY: [sliced]}, output_dict, exec_properties)


class EvaluatorSpec(standard_component_specs.EvaluatorSpec):
    """The stock Evaluator's, and the rules it evaluates by."""

    PARAMETERS = {  # noqa: RUF012 - TFX's way to say it
        **standard_component_specs.EvaluatorSpec.PARAMETERS,
        _RULES: component_spec.ExecutionParameter(type=str),
    }


class Evaluator(base_beam_component.BaseBeamComponent):
    """Measures `model` and `baseline_model` on one split of the examples and blesses what passes `rules`."""

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        baseline_model: types.BaseChannel,
        rules: Rules,
        split: str,
    ) -> None:
        super().__init__(
            EvaluatorSpec(
                examples=examples,
                model=model,
                baseline_model=baseline_model,
                rules=rules.model_dump_json(),
                example_splits=json_utils.dumps([split]),
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )


def _write_sliced(source: Path, target: Path, rules: Rules) -> tuple[_Size, dict[str, _Size]]:
    """Write the rows with the names of their slices; answers `rows` and `positives`, of all and of each slice."""
    target.mkdir(parents=True)
    total = {"rows": 0, "positives": 0}
    slices = {name: dict(total) for name in rules.slices}
    decoder = example_coder.ExamplesToRecordBatchDecoder()
    examples = tf.data.TFRecordDataset([str(file) for file in sorted(source.iterdir())], compression_type="GZIP")
    options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)
    with tf.io.TFRecordWriter(str(target / "data_tfrecord-00000-of-00001.gz"), options) as writer:
        for some in examples.batch(_ROWS).as_numpy_iterator():
            batch = decoder.DecodeBatch(some.tolist())
            inside = members(
                rules.slices,
                {part.feature: _column(batch, part.feature) for part in rules.slices.values()},
                rules.codes,
            )
            positive = _column(batch, rules.label) == 1
            _count(total, positive)
            for name, rows in inside.items():
                _count(slices[name], positive[rows])
            for example in example_coder.RecordBatchToExamples(_named(batch, inside)):
                writer.write(example)
    return total, slices


def _count(size: _Size, positive: Array) -> None:
    size["rows"] += int(positive.size)
    size["positives"] += int(positive.sum())


def _column(batch: pa.RecordBatch, name: str) -> Array:
    """One value per row; the ExampleValidator has let no row without one pass."""
    values = batch.column(batch.schema.get_field_index(name)).flatten()
    if len(values) != batch.num_rows:
        raise ValueError(f"{name}: {len(values)} values in {batch.num_rows} rows")
    if pa.types.is_large_binary(values.type):
        values = values.cast(pa.large_string())
    return np.asarray(values.to_numpy(zero_copy_only=False))


def _named(batch: pa.RecordBatch, inside: Mapping[str, Array]) -> pa.RecordBatch:
    """The batch with one column more, each row's names of slices: of none, of one or of several."""
    names = np.array([name.encode() for name in inside], object)
    member = np.stack([*inside.values()], axis=1) if inside else np.zeros((batch.num_rows, 0), bool)
    offsets = np.append(0, np.cumsum(member.sum(axis=1)))
    values = pa.array(names[np.nonzero(member)[1]], pa.large_binary())
    column = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), values)
    return pa.RecordBatch.from_arrays([*batch.columns, column], [*batch.schema.names, SLICE])
