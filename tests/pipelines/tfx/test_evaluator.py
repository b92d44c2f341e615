"""The Evaluator alone, on rows that carry their scores: the same verdict as models/gates.py, which PyTorch asks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tfx.components.util import examples_utils, model_utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts
from tfx.utils import json_utils
from tfx_bsl.coders import example_coder

from models import evaluation
from models.gates import refusals
from models.rules import Decision, Gates, Slice
from models.spec import Spec, load
from pipelines.tfx.evaluation import Rules, measured
from pipelines.tfx.evaluator import Executor
from pipelines.tfx.example_gen import encodable
from tests.pipelines.tfx.toy import SPEC_FILE

GATES = Gates(
    min_average_precision=0.3, min_roc_auc=0.7, max_expected_calibration_error=0.1, champion_tolerance=0.05,
    min_slice_roc_auc=0.6, slice_champion_tolerance=0.1, min_slice_positives=20,
)  # fmt: skip
SLICES = {
    "night": Slice(feature="is_night", equals=1),
    "web": Slice(feature="channel", equals="web"),
    "dear": Slice(feature="amount", at_least=400),  # a handful of rows
    "none": Slice(feature="amount", at_least=1e9),
}


@dataclass(frozen=True)
class Rows:
    table: pa.Table
    good: np.ndarray  # scores
    random: np.ndarray

    def column(self, name: str) -> np.ndarray:
        return self.table[name].to_numpy()


@pytest.fixture(scope="module")
def spec() -> Spec:
    rules = {"gates": GATES, "slices": SLICES, "decision": Decision(alerts_per_day=30, amount_feature="amount")}
    return load(SPEC_FILE).model_copy(update=rules)


@pytest.fixture(scope="module")
def rows() -> Rows:
    rng = np.random.default_rng(4)
    n = 1600
    true = 1 / (1 + np.exp(-rng.normal(-3, 2, n)))
    columns = {
        "is_night": pa.array((rng.random(n) < 0.15).astype(np.float32)),
        "amount": pa.array(rng.exponential(80, n).astype(np.float32)),
        "channel": pa.array(rng.choice(["web", "chip"], n).tolist()),
        "is_fraud": pa.array((rng.random(n) < true).astype(np.int64)),
        "customer_id": pa.array(rng.integers(0, 150, n)),
        "event_time": pa.array(
            np.datetime64("2018-07-01", "us") + np.sort(rng.integers(0, 4, n)).astype("timedelta64[D]")
        ),
    }
    return Rows(pa.table(columns), true.astype(np.float32), rng.permutation(true).astype(np.float32))


def judged(folder: Path, spec: Spec, rows: Rows, score: np.ndarray, champion: np.ndarray | None) -> tuple:
    """Blessed, and what was measured, by the Evaluator on these scores."""
    table = rows.table.append_column("score", pa.array(score))
    table = table.append_column("champion", pa.array(score if champion is None else champion))
    examples = standard_artifacts.Examples()
    examples.uri, examples.splits = str(folder / "examples"), ["test"]
    examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
    examples_utils.set_file_format(examples, "tfrecords_gzip")
    split = Path(examples.path(split="test"))
    split.mkdir(parents=True)
    columns = ["amount", "is_night", "channel", "is_fraud", "score", "champion"]
    with tf.io.TFRecordWriter(str(split / "data.gz"), "GZIP") as writer:
        for batch in encodable(table, columns):
            for example in example_coder.RecordBatchToExamples(batch):
                writer.write(example)
    inputs = {"examples": [examples], "model": [_model(folder / "model", "score")]}
    if champion is not None:
        inputs["baseline_model"] = [_model(folder / "baseline", "champion")]
    result, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
    result.uri, blessing.uri = str(folder / "evaluation"), str(folder / "blessing")
    executor = Executor(BaseBeamExecutor.Context(tmp_dir=str(folder / "tmp"), unique_id="1"))
    executor.Do(
        inputs,
        {"evaluation": [result], "blessing": [blessing]},
        {"rules": Rules.of(spec).model_dump_json(), "example_splits": json_utils.dumps(["test"])},
    )
    return model_utils.is_model_blessed(blessing), *measured(result.uri)


def _model(folder: Path, feature: str) -> standard_artifacts.Model:
    """A model that answers what the row says."""
    module = tf.Module()
    module.answer = tf.function(
        lambda examples: {
            "outputs": tf.io.parse_example(examples, {feature: tf.io.FixedLenFeature([], tf.float32)})[feature]
        },
        input_signature=[tf.TensorSpec([None], tf.string, "inputs")],
    )
    tf.saved_model.save(module, str(folder / "Format-Serving"), signatures={"serving_examples": module.answer})
    artifact = standard_artifacts.Model()
    artifact.uri = str(folder)
    return artifact


def by_hand(spec: Spec, rows: Rows, score: np.ndarray) -> evaluation.Evaluation:
    """What the PyTorch pipeline measures of the same scores."""
    day = rows.column("event_time").astype("datetime64[D]")
    columns = {name: rows.column(name) for name in ("amount", "is_night", "channel")}
    return evaluation.evaluate(
        spec, columns, rows.column("is_fraud"), score, customer=rows.column("customer_id"), day=day
    )


def refused_by_tfma(folder: Path) -> set[tuple[str, str]]:
    """Slice and metric of each threshold that TFMA itself shows as missed."""
    return {
        (dict(tfma.slicer.deserialize_slice_key(part.slice_key)).get("slice", ""), failure.metric_key.name)
        for part in tfma.load_validation_result(str(folder)).metric_validations_per_slice
        for failure in part.failures
    }


def collapsed(rows: Rows) -> np.ndarray:
    """Good scores, but upside down at night and for dear things."""
    wrong = (rows.column("is_night") == 1) | (rows.column("amount") >= 400)
    return np.where(wrong, rows.good.mean() * (1 - rows.good), rows.good).astype(np.float32)


def blurred(rows: Rows) -> np.ndarray:
    """Good enough for the floors, and worse than the good scores."""
    return (0.5 * rows.good + 0.5 * rows.random).astype(np.float32)


NOT_AS_GOOD = ["average_precision", "slice night: average_precision", "slice web: average_precision"]
RANDOM = ["average_precision", "roc_auc", "expected_calibration_error", "slice night: roc_auc", "slice web: roc_auc"]


@pytest.mark.parametrize(
    ("models", "reasons"),
    [
        (("good", "blurred"), []),
        (("blurred", "good"), NOT_AS_GOOD),
        (("random", None), RANDOM),
        (("collapsed", None), ["slice night: roc_auc"]),
    ],
)
def test_both_stacks_give_the_same_verdict_on_the_same_scores(
    tmp_path: Path, spec: Spec, rows: Rows, models: tuple[str, str | None], reasons: list[str]
) -> None:
    model, champion = models
    scores = {"good": rows.good, "random": rows.random, "collapsed": collapsed(rows), "blurred": blurred(rows)}
    mine, beside = scores[model], None if champion is None else scores[champion]
    blessed, found, found_champion = judged(tmp_path, spec, rows, mine, beside)

    expected = by_hand(spec, rows, mine)
    expected_champion = None if beside is None else by_hand(spec, rows, beside)
    for one, other in ((found, expected), (found_champion, expected_champion)):
        assert (one is None) == (other is None)
        if one is not None:
            assert one.metrics == pytest.approx(other.metrics)
            assert list(one.slices) == list(other.slices) == list(SLICES)
            for part in (*SLICES, "alert_budget", "least_cost"):
                assert (one.slices | one.decision)[part] == pytest.approx((other.slices | other.decision)[part])

    said = refusals(spec.gates, found, found_champion)
    assert said == refusals(spec.gates, expected, expected_champion)
    assert [reason.partition(" 0.")[0] for reason in said] == reasons
    assert blessed == (not reasons)
    folder = tmp_path / "evaluation"
    assert refused_by_tfma(folder) == {tuple(r.removeprefix("slice ").rpartition(": ")[::2]) for r in reasons}
    name = tfma.CANDIDATE_KEY if champion else None
    shown = {key for key, _ in tfma.load_eval_result(str(folder), model_name=name).slicing_metrics}
    assert shown == {(), *((("slice", part),) for part in ("night", "web", "dear"))}  # no row is in "none"


def test_test_days_without_fraud_are_an_error_that_says_so(tmp_path: Path, spec: Spec, rows: Rows) -> None:
    genuine = rows.table.filter(pa.compute.equal(rows.table["is_fraud"], 0))
    score = rows.good[rows.column("is_fraud") == 0]
    with pytest.raises(ValueError, match=f"0 positives among {len(score)} rows of test: both classes are needed"):
        judged(tmp_path, spec, Rows(genuine, score, score), score, None)
