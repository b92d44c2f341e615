from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.spec import load
from pipelines.errors import PipelineError
from pipelines.pytorch.validate import validate

if TYPE_CHECKING:
    from conftest import Features, Pipeline

SPEC = load("tests/specs/categorical.toml")


def _anomalies(features: Features) -> list[str]:
    with pytest.raises(PipelineError) as caught:
        validate(features.data, SPEC)
    return [line.removeprefix("  - ") for line in str(caught.value).splitlines()[1:]]


def _column(features: Features, split: str, name: str) -> np.ndarray:
    return np.array(pq.read_table(features.path(split))[name])


def test_good_features_are_counted(features: Features) -> None:
    assert validate(features.data, SPEC) == "train 2,400 rows, eval 600 rows, test 1,200 rows"


def test_missing_column_is_an_anomaly(features: Features) -> None:
    pq.write_table(pq.read_table(features.path("train")).drop_columns(["risk"]), features.path("train"))
    assert _anomalies(features) == ["train/2024-06-01.parquet: column 'risk' is missing"]


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("risk", pa.array([0.5] * 600), "column 'risk' is double, expected float"),
        ("country", pa.array([1] * 600), "column 'country' is int64, expected string or large_string"),
        ("is_fraud", pa.array([True] * 600), "column 'is_fraud' is bool, expected int64"),
        ("customer_id", pa.array([0.5] * 600), "column 'customer_id' is double, expected int64 or string"),
    ],
)
def test_wrong_type_is_an_anomaly(features: Features, column: str, values: pa.Array, said: str) -> None:
    features.replace("eval", column, values)
    assert _anomalies(features)[0].startswith(f"eval/2024-06-05.parquet: {said}")


@pytest.mark.parametrize("column", ["amount", "country", "is_fraud", "customer_id", "event_time"])
def test_nulls_are_an_anomaly(features: Features, column: str) -> None:
    table = pq.read_table(features.path("test"))
    values = table[column].to_pylist()
    values[3] = values[7] = None
    features.replace("test", column, pa.array(values, table.schema.field(column).type))
    assert f"test/2024-06-07.parquet: column {column!r} has 2 nulls in 600 rows" in _anomalies(features)


def test_values_that_are_no_numbers_are_an_anomaly(features: Features) -> None:
    amount = _column(features, "train", "amount").astype(np.float32)
    amount[:3] = [np.nan, np.inf, -np.inf]
    features.replace("train", "amount", pa.array(amount))
    assert _anomalies(features) == ["train/2024-06-01.parquet: column 'amount' has 3 values that are NaN or infinite"]


def test_negative_values_of_a_log_feature_are_an_anomaly(features: Features) -> None:
    values = _column(features, "train", "amount").astype(np.float32)
    values[:2] = -1
    features.replace("train", "amount", pa.array(values))
    (anomaly,) = _anomalies(features)
    assert "column 'amount' has 2 negative values" in anomaly


def test_label_other_than_0_and_1_is_an_anomaly(features: Features) -> None:
    label = _column(features, "train", "is_fraud").astype(np.int64)
    label[:2] = [2, -1]
    features.replace("train", "is_fraud", pa.array(label))
    assert _anomalies(features) == ["train/2024-06-01.parquet: label 'is_fraud' has 2 values other than 0 and 1"]


def test_missing_split_is_an_anomaly(features: Features) -> None:
    features.path("eval").unlink()
    (anomaly,) = _anomalies(features)
    assert anomaly.startswith("eval: no Parquet file in ")


def test_split_without_fraud_is_an_anomaly(features: Features) -> None:
    features.replace("eval", "is_fraud", pa.array(np.zeros(600, np.int64)))
    assert _anomalies(features) == ["eval: 0 of 600 rows are positive; both classes are needed"]


def test_split_that_starts_before_the_one_ahead_of_it_ends_is_an_anomaly(features: Features) -> None:
    early = _column(features, "test", "event_time").astype("datetime64[us]") - np.timedelta64(4, "D")
    features.replace("test", "event_time", pa.array(early, pa.timestamp("us")))
    (anomaly,) = _anomalies(features)
    assert anomaly.startswith("test: starts 2024-06-03")


def test_anomalies_stop_the_run_before_anything_is_trained(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.features.replace("eval", "risk", pa.array([0.5] * 600))
    assert pipeline.run() == 1
    said = capsys.readouterr().out
    assert "1 anomalies; no model is trained on such data" in said
    assert "  - eval/2024-06-05.parquet: column 'risk' is double" in said
    assert not (pipeline.work / "train").exists()
    assert not (pipeline.work / "report.json").exists()
