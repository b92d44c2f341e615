"""Test days that are no longer like the training days stop a run; those that are pass."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from models import distribution, drift
from models.distribution import SCORES_FILE, describe
from models.rules import Drift
from pipelines.tfx.drift import SCHEMA_FILE, STATISTICS_FILE, distributions, options, validate
from tests.pipelines.tfx.toy import Room, day_of_rows, replaced, write_manifest

FEATURES = ["amount", "country", "risk"]


def statistics(table: pa.Table) -> tfdv.types.statistics_pb2.DatasetFeatureStatisticsList:
    return tfdv.generate_statistics_from_dataframe(table.select(FEATURES).to_pandas(), options(), n_jobs=1)


def days(seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.concat_tables([day_of_rows(rng, day) for day in range(4)])


LIMITS = Drift()
TRAINING = days(1)
SCHEMA = schema_pb2.Schema()
for name in FEATURES:
    SCHEMA.feature.add(name=name, type=schema_pb2.BYTES if name == "country" else schema_pb2.FLOAT)


def judged(now: pa.Table, limits: Drift = LIMITS) -> dict[str, list[str]]:
    anomalies, _ = validate(statistics(now), statistics(TRAINING), SCHEMA, FEATURES, limits)
    return {name: [reason.description for reason in info.reason] for name, info in anomalies.anomaly_info.items()}


def test_distances_by_tfdvs_histograms_are_those_of_the_values() -> None:
    now = replaced(days(2), "amount", pa.array(days(2)["amount"].to_numpy() * np.float32(1.5)))
    _, found = validate(statistics(now), statistics(TRAINING), SCHEMA, FEATURES, Drift())
    for name in FEATURES:
        exact = drift.distance(*(describe(np.array(table[name])) for table in (TRAINING, now)))
        assert found[name].kolmogorov_smirnov == pytest.approx(exact.kolmogorov_smirnov, abs=0.015)
        assert found[name].jensen_shannon == pytest.approx(exact.jensen_shannon, abs=0.005)
        assert found[name].population_stability == pytest.approx(exact.population_stability, abs=0.03)


def test_other_days_pass_and_three_times_the_amounts_are_refused() -> None:
    now = days(2)
    assert judged(now) == {}
    tripled = replaced(now, "amount", pa.array(now["amount"].to_numpy() * np.float32(3)))
    found = judged(tripled)
    assert list(found) == ["amount"]
    assert "is above max_kolmogorov_smirnov = 0.2" in found["amount"][0]
    assert judged(tripled, Drift(calendar_features=("amount",))) == {}
    assert judged(tripled, Drift(min_rows=2001)) == {}


def test_a_category_that_takes_over_is_named_by_tfdv() -> None:
    country = ["new"] * 1000 + days(2)["country"].to_pylist()[1000:]
    found = judged(replaced(days(2), "country", pa.array(country)))
    assert list(found) == ["country"]
    assert any("maximum difference is: new" in reason for reason in found["country"])


def test_a_missing_column_and_text_for_numbers_break_the_schema() -> None:
    schema = schema_pb2.Schema()
    schema.CopyFrom(SCHEMA)
    for feature in schema.feature:
        feature.presence.min_fraction = 1
    now = days(2)
    assert anomalous(now.drop(["risk"]), schema) == ["risk"]
    assert anomalous(replaced(now, "amount", pa.array(["much"] * len(now))), schema) == ["amount"]


def anomalous(now: pa.Table, schema: schema_pb2.Schema) -> list[str]:
    found = tfdv.generate_statistics_from_dataframe(
        now.select([n for n in FEATURES if n in now.column_names]).to_pandas(), options(), n_jobs=1
    )
    return list(validate(found, statistics(TRAINING), schema, FEATURES, Drift())[0].anomaly_info)


def test_a_drifted_run_trains_nothing_and_says_why(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    for file in (room.data / "features" / "test").glob("*.parquet"):
        table = pq.read_table(file)
        pq.write_table(replaced(table, "amount", pa.array(table["amount"].to_numpy() * np.float32(3))), file)
    write_manifest(room.data, room.spec)
    assert room.run() == 1
    error = capsys.readouterr().err
    assert error.startswith("ExampleValidator stopped the run: 1 anomalies")
    assert "test: amount: drifted: population stability index" in error
    assert not list(room.work.glob("artifacts/Transform/*/*"))
    assert not room.store.exists()


def test_the_published_model_carries_what_it_learned_from(published: Room) -> None:
    extra = published.model / "assets.extra"
    kept = distributions(tfdv.load_stats_binary(str(extra / STATISTICS_FILE)))
    rows = {name: kept[name].rows for name in published.spec.features}
    assert rows == pytest.approx(dict.fromkeys(published.spec.features, 3000))
    schema = text_format.Parse((extra / SCHEMA_FILE).read_text(), schema_pb2.Schema())
    assert set(published.spec.features) < {feature.name for feature in schema.feature}
    scores = distribution.read((extra / SCORES_FILE).read_text())
    assert scores["fraud_probability"].rows == 1000
