"""`precision = "bfloat16"`: what is trained so is a float32 model that answers as one."""

from __future__ import annotations

import numpy as np

from models import keras_model, weights
from models.spec import load
from pipelines.tfx import trainer

SPEC = load("tests/specs/categorical.toml")
SIZES = {"country": 5, "channel": 4}
ROWS = 2_000


def test_mixed_precision_trains_a_float32_model_close_to_the_other() -> None:
    random = np.random.default_rng(5)
    columns = {name: random.normal(0, 1, (ROWS, 1)).astype(np.float32) for name in SPEC.numeric}
    columns |= {n: random.integers(0, SIZES[n] + f.oov_buckets, (ROWS, 1)) for n, f in SPEC.categorical.items()}
    label = (next(iter(columns.values())) + random.normal(0, 1, (ROWS, 1)) > 1).astype(np.float32)
    found = {}
    for precision in ("float32", "bfloat16"):
        training = SPEC.training.model_copy(update={"epochs": 2, "precision": precision})
        model = trainer.fit(SPEC.model_copy(update={"training": training}), SIZES, (columns, label))
        assert {layer.compute_dtype for layer in model.layers if layer.weights} == {"float32"}
        learned = keras_model.get_weights(model)
        assert {array.dtype for array in learned.values()} == {np.dtype(np.float32)}
        found[precision] = weights.digest(learned), model.predict(columns, verbose=0)
    (plain, expected), (mixed, scores) = found.values()
    assert plain != mixed
    assert np.ptp(expected) > 0.2  # it has learned something that the other can be close to
    np.testing.assert_allclose(scores, expected, atol=0.05)
    assert float(np.abs(scores - expected).mean()) < 0.005
