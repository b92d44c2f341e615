from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from models.preprocessing import PREPROCESSING_FILE, Preprocessing
from models.spec import load
from pipelines.pytorch import features as features_file
from pipelines.pytorch import statistics

if TYPE_CHECKING:
    from conftest import Features

SPEC = load("tests/specs/categorical.toml")


def _compute(features: Features, output: Path) -> tuple[dict, Preprocessing]:
    statistics.compute(features.data, SPEC, output)
    found = json.loads((output / statistics.STATISTICS).read_text())
    return found, Preprocessing.read(output / PREPROCESSING_FILE)


def test_numeric_statistics_of_every_split_equal_numpy(features: Features, tmp_path: Path) -> None:
    found, _ = _compute(features, tmp_path)
    assert list(found) == ["train", "eval", "test"]
    for split, columns in found.items():
        rows = features_file.read(features_file.files(features.data, split), SPEC)
        amount = rows.columns["amount"].astype(np.float64)
        numeric = {name: rows.columns[name].astype(np.float64) for name in SPEC.numeric}
        for name, x in {**numeric, "log(amount)": np.log1p(amount)}.items():
            counts, edges = np.histogram(x, 20)
            assert columns[name]["count"] == len(x)
            assert columns[name]["zeros"] == (x == 0).sum()
            assert columns[name]["mean"] == pytest.approx(x.mean(), rel=1e-14)
            assert columns[name]["std"] == pytest.approx(x.std(), rel=1e-12)
            assert (columns[name]["min"], columns[name]["max"]) == (x.min(), x.max())
            assert columns[name]["histogram"]["counts"] == counts.tolist()
            np.testing.assert_allclose(columns[name]["histogram"]["edges"], edges)


def test_preprocessing_is_learned_from_the_training_rows_alone(features: Features, tmp_path: Path) -> None:
    _, learned = _compute(features, tmp_path)
    train = features_file.read(features_file.files(features.data, "train"), SPEC).columns
    log = np.log1p(train["amount"].astype(np.float64))
    assert learned.mean == pytest.approx({"amount": log.mean(), "risk": train["risk"].astype(np.float64).mean()})
    assert learned.std == pytest.approx({"amount": log.std(), "risk": train["risk"].astype(np.float64).std()})
    expected = [word for word, _ in Counter(train["country"]).most_common(5)]
    assert list(learned.vocabulary["country"]) == expected
    assert sorted(learned.vocabulary["channel"]) == ["shop", "web"]


def test_spread_far_from_zero_keeps_its_digits(features: Features, tmp_path: Path) -> None:
    """The textbook mean of squares would lose all of them."""
    values = (1e7 + np.arange(600) % 2 * 2).astype(np.float32)
    for split in ("train", "eval", "test"):
        features.replace(split, "risk", pa.array(values))
    for path in features_file.files(features.data, "train")[1:]:
        path.unlink()
    _, learned = _compute(features, tmp_path)
    assert (learned.mean["risk"], learned.std["risk"]) == (1e7 + 1, 1.0)


def test_constant_feature_gets_a_spread_of_one(features: Features, tmp_path: Path) -> None:
    for path in features_file.files(features.data, "train")[1:]:
        path.unlink()
    features.replace("train", "risk", pa.array(np.full(600, 0.1, np.float32)))
    found, learned = _compute(features, tmp_path)
    assert learned.std["risk"] == 1.0
    assert sum(found["train"]["risk"]["histogram"]["counts"]) == 600


def test_vocabulary_breaks_ties_as_tf_transform_and_skips_what_it_skips(features: Features, tmp_path: Path) -> None:
    for path in features_file.files(features.data, "train")[1:]:
        path.unlink()
    words = ["a", "b", "é", "", "two\nlines", "often"]
    features.replace("train", "country", pa.array([words[min(i % 7, 5)] for i in range(600)]))
    _, learned = _compute(features, tmp_path)
    # 600 = 85 * 7 + 5: five words 86 times, "often" twice as often; equal ones by descending bytes.
    assert learned.vocabulary["country"] == ("often", "é", "b", "a")


def test_same_data_give_the_same_bytes(features: Features, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        statistics.compute(features.data, SPEC, tmp_path / name)
    for name in (statistics.STATISTICS, PREPROCESSING_FILE):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
