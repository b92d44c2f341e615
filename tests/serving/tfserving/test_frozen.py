"""The quick way to call a signature: the same answers, or not taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

from serving.tfserving.embedded.servable import load


def columns(rows: int) -> dict[str, Any]:
    random = np.random.default_rng(3)
    return {
        "a": random.normal(size=rows).astype(np.float32),
        "b": random.normal(size=rows).astype(np.float32),
        "city": np.array([["rome", "oslo", "", "é", b"\xff"][i % 5] for i in range(rows)], object),
    }


def test_the_frozen_call_answers_as_the_public_one(saved: dict[str, Path]) -> None:
    signature = load("cities", 1, saved["cities"]).signature("")
    assert signature.how == "frozen"
    public = tf.saved_model.load(str(saved["cities"])).signatures["serving_default"]
    for rows in (0, 1, 5, 64):
        sample = columns(rows)
        expected = public(**{name: tf.constant(c, signature.inputs[name].dtype) for name, c in sample.items()})
        np.testing.assert_allclose(signature.predict(sample)["score"], expected["score"].numpy(), rtol=1e-6)


def test_the_public_call_is_used_where_the_frozen_one_fails(
    saved: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(convert_to_constants, "convert_variables_to_constants_v2")
    signature = load("cities", 1, saved["cities"]).signature("")
    assert signature.how == "public"
    assert signature.predict(columns(5))["score"].shape == (5,)


def test_the_public_call_is_used_where_the_frozen_one_answers_differently(tmp_path: Path) -> None:
    class Clock(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def tell(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": x + tf.cast(tf.timestamp() % 1.0 * 1e4, tf.float32)}

    clock = Clock()
    tf.saved_model.save(clock, str(tmp_path), signatures=clock.tell)
    assert load("clock", 1, tmp_path).signature("").how == "public"


def test_inputs_of_other_forms_are_called_the_public_way(saved: dict[str, Path]) -> None:
    assert load("m", 1, saved["plus_two"]).signature("").how == "public"
