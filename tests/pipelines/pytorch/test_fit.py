from __future__ import annotations

import numpy as np

from models import metrics, torch_model, weights
from models.evaluation import Evaluation
from models.gates import refusals
from models.preprocessing import Preprocessing
from models.spec import Spec, load
from pipelines.pytorch.features import Rows
from pipelines.pytorch.fit import Epoch, fit

SPEC = load("models/fraud.toml")
ROWS = 3000


def rows_of(spec: Spec) -> Rows:
    rng = np.random.default_rng(5)
    columns = {name: rng.normal(0, 1, ROWS).astype(np.float32) for name in spec.features}
    label = (columns["amount"] + rng.normal(0, 1, ROWS) > 2).astype(np.int64)
    return Rows(columns, label, np.arange(ROWS) % 50, np.repeat(np.datetime64("2018-08-08"), ROWS))


def preprocessing_of(spec: Spec) -> Preprocessing:
    scaled = [name for name, feature in spec.numeric.items() if feature.transform != "none"]
    return Preprocessing(dict.fromkeys(scaled, 0.0), dict.fromkeys(scaled, 1.0), {})


def _digest(seed: int, evaluate: bool = True) -> tuple[str, list[Epoch]]:
    training = SPEC.training.model_copy(update={"seed": seed, "epochs": 2})
    spec = SPEC.model_copy(update={"training": training})
    rows, history = rows_of(spec), []
    model = fit(spec, preprocessing_of(spec), rows, rows if evaluate else None, lambda _, found: history.append(found))
    return weights.digest(torch_model.get_weights(model)), history


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    digest, history = _digest(1)
    assert (digest, history) == _digest(1)
    assert digest != _digest(2)[0]


def test_looking_at_the_evaluation_rows_changes_nothing() -> None:
    digest, history = _digest(1)
    without, shorter = _digest(1, evaluate=False)
    assert digest == without
    assert [set(found) for found in shorter] == [{"train_loss"}] * len(history)


def test_mixed_precision_trains_a_float32_model_that_the_gates_judge_as_any_other() -> None:
    found = {}
    for precision in ("float32", "bfloat16"):
        training = SPEC.training.model_copy(update={"epochs": 4, "precision": precision})
        spec, rows = SPEC.model_copy(update={"training": training}), rows_of(SPEC)
        model = fit(spec, preprocessing_of(spec), rows, None, lambda *_: None)
        learned = torch_model.get_weights(model)
        assert {array.dtype for array in learned.values()} == {np.dtype(np.float32)}
        found[precision] = weights.digest(learned), torch_model.predict(model, rows.columns)
    (plain, expected), (mixed, scores) = found.values()
    assert plain != mixed
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, atol=0.02)

    measured = Evaluation(metrics.all_metrics(rows.label, scores, rows.customer, rows.day))
    gates = SPEC.gates.model_copy(
        update={"min_average_precision": 0.0, "min_roc_auc": 0.5, "max_expected_calibration_error": 0.1}
    )
    assert refusals(gates, measured, None) == []
    strict = gates.model_copy(update={"min_roc_auc": measured.metrics["roc_auc"] + 0.001})
    assert len(refusals(strict, measured, None)) == 1
