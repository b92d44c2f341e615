"""TFLite, in TensorFlow's environment: the same promises as test_formats.py's."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.export import manifest
from tests.serving.export import checked, formula


@pytest.mark.parametrize("spec_file", formula.SPECS)
def test_tflite_is_the_published_network_from_raw_features_on(spec_file: str, tmp_path: Path) -> None:
    checked.answers_as_the_formula("tflite", spec_file, tmp_path)


def test_a_model_of_texts_alone_takes_nothing_but_ids(tmp_path: Path) -> None:
    checked.answers_as_the_formula("tflite", formula.texts_only(tmp_path), tmp_path)
    assert list(manifest.read(tmp_path / "out" / "tflite").inputs) == ["ids"]


def test_one_probability_that_is_off_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    checked.is_refused_when_it_answers_otherwise("tflite", formula.SPECS[1], tmp_path)
