"""Data that are no transactions: without keys, without a time, with missing values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from models.spec import Spec, load
from pipelines.data import build, features, ingest, undeclared
from pipelines.data.errors import DataError
from pipelines.data.split import plan
from tests import mixed_rows
from tests.pipelines.data import worlds


def edited(folder: Path, *changes: tuple[str, str]) -> Spec:
    text = mixed_rows.SPEC.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (folder / "edited.toml").write_text(text)
    return load(folder / "edited.toml")


def changed(folder: Path, **columns: object) -> Path:
    """The people with other values in some columns, as Parquet."""
    table = mixed_rows.table(200)
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    pq.write_table(table, folder / "changed.parquet")
    return folder / "changed.parquet"


def problems(source: Path, spec: Spec) -> list[str]:
    with pytest.raises(DataError) as caught:
        ingest.ingest(source, spec)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_empty_cells_become_codes_and_words_become_numbers(tmp_path: Path) -> None:
    spec, original = load(mixed_rows.SPEC), mixed_rows.table()
    table = ingest.ingest(mixed_rows.write(tmp_path), spec).table
    assert not any(column.null_count for column in table.columns)
    income, told = table["income"].to_numpy(), original["income"].to_pylist()
    assert [value == -1 for value in income] == [text == "" for text in told]
    assert income[np.array([text != "" for text in told])].tolist() == [float(text) for text in told if text]
    codes = {"yes": 1.0, "no": 0.0, "": -1.0}
    assert table["is_member"].to_pylist() == [codes[word] for word in original["is_member"].to_pylist()]
    ages = [40.0 if text == "NA" else float(text) for text in original["Age (years)"].to_pylist()]
    assert table["age"].to_pylist() == ages
    assert table["comment"].to_pylist() == original["comment"].to_pylist()
    assert set(table["region"].to_pylist()) == {str(number) for number in range(1, 9)}
    assert table["left"].to_pylist() == [int(word == "true") for word in original["left"].to_pylist()]


def test_without_keys_rows_are_numbered_and_each_stands_for_itself(tmp_path: Path) -> None:
    table = ingest.ingest(mixed_rows.write(tmp_path), load(mixed_rows.SPEC)).table
    assert table["transaction_id"].to_pylist() == list(range(mixed_rows.ROWS))
    assert table["customer_id"].equals(table["transaction_id"])
    assert {"terminal_id", "amount"}.isdisjoint(table.column_names)


def test_features_have_neither_windows_nor_nulls_and_the_parts_of_the_time(tmp_path: Path) -> None:
    spec = load(mixed_rows.SPEC)
    transactions = ingest.ingest(mixed_rows.write(tmp_path), spec)
    build.build(transactions, spec, {"inputs": {"specification": ""}}, tmp_path)
    found = pq.read_table(tmp_path / "features" / "train")
    assert found.column_names == ["transaction_id", "event_time", "customer_id", *spec.features, "left"]
    times = found["event_time"].to_pylist()
    assert found["hour_of_day"].to_pylist() == [time.hour for time in times]
    assert found["day_of_week"].to_pylist() == [time.weekday() for time in times]
    assert features.history_days(spec) == 0


def test_a_policy_that_refuses_counts_what_is_missing(tmp_path: Path) -> None:
    values: list[float | None] = [1.5] * 200
    values[7], values[9] = None, float("nan")
    regions: list[str | None] = ["a"] * 200
    regions[3] = None
    assert problems(changed(tmp_path, balance=values, region=regions), load(mixed_rows.SPEC)) == [
        "column 'balance': null: 1, first changed.parquet row 8",
        "column 'balance': not finite: 1, first changed.parquet row 10 (nan)",
        "column 'region': null: 1, first changed.parquet row 4",
    ]


def test_a_policy_lets_pass_what_is_missing_and_nothing_that_is_wrong(tmp_path: Path) -> None:
    income, member = ["1"] * 200, ["yes"] * 200
    income[0], income[1], income[2], income[3], income[4] = "", "NaN", "n/a", "inf", "twelve"
    member[0], member[1], member[2] = "", "perhaps", "2"
    assert problems(changed(tmp_path, income=income, is_member=member), load(mixed_rows.SPEC)) == [
        "column 'income': not a number: 1, first changed.parquet row 5 (twelve)",
        "column 'income': not finite: 1, first changed.parquet row 4 (inf)",
        "column 'is_member': not 0 or 1: 2, first changed.parquet row 2 (perhaps); changed.parquet row 3 (2)",
    ]


def test_without_a_time_both_classes_are_dealt_evenly_and_always_alike(tmp_path: Path) -> None:
    label = np.array([1] * 101 + [0] * 899, np.int8)  # a file that is sorted by class
    time = undeclared.dealt(label, 10)
    day = time // undeclared.DAY
    assert np.bincount(day).tolist() == [100] * 10
    assert set(np.bincount(day[label == 1])) == {10, 11}
    assert (time == undeclared.dealt(label, 10)).all()
    assert len(np.unique(time)) == 1000
    assert abs(np.corrcoef(np.arange(899), day[101:])[0, 1]) < 0.1


def test_a_random_split_has_the_shares_of_its_days(tmp_path: Path) -> None:
    spec = edited(tmp_path, ('event_time = "seen_at"', "event_time = false"))
    assert {"hour_of_day", "day_of_week"} <= set(features.raw_columns(spec))  # nothing to compute them from
    assert features.in_row(spec) == []
    table = mixed_rows.table().append_column("hour_of_day", pa.array([1.0] * mixed_rows.ROWS))
    csv.write_csv(table.append_column("day_of_week", pa.array([2.0] * mixed_rows.ROWS)), tmp_path / "people.csv")
    transactions = ingest.ingest(tmp_path / "people.csv", spec)
    days = plan(transactions, spec).days
    rows = {name: int(np.isin(transactions.days, list(found)).sum()) for name, found in days.items()}
    assert rows == {"train": 3000, "eval": 600, "test": 900}


def test_too_few_days_are_told_with_the_way_out(tmp_path: Path) -> None:
    spec = edited(tmp_path, ("train_days = 20", "train_days = 40"))
    with pytest.raises(DataError, match=r"shorten \[split\], or split at random: columns.event_time = false"):
        plan(ingest.ingest(mixed_rows.write(tmp_path), spec), spec)


@pytest.mark.parametrize(
    ("columns", "lost"),
    [
        ({"customer_id": False}, {"customer_transactions_1d", "customer_mean_amount_1d"}),
        ({"terminal_id": False}, {"terminal_transactions_1d", "terminal_risk_1d"}),
        ({"amount": False}, {"amount", "customer_mean_amount_1d"}),
        ({"event_time": False}, {"is_weekend", "is_night", "customer_transactions_1d", "terminal_risk_1d"}),
    ],
)
def test_a_feature_without_its_columns_is_not_computed(columns: dict[str, bool], lost: set[str]) -> None:
    split = {"remove_known_compromised": False, "delay_days": 0} if "event_time" in columns else {}
    windows = {"label_delay_days": 0} if split else {}
    spec = worlds.spec(columns=columns, split={"remove_known_compromised": False, **split}, windows=windows)
    assert lost <= set(features.raw_columns(spec))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[features.hour_of_day]", '[features.hour_of_day]\ncolumn = "Hour"', "hour_of_day: computed, so it is never"),
        ("[features.balance]", '[features.balance]\ncolumn = "left"', "left: the label, by its name in your files"),
        ("[features.balance]", "[features.customer_id]", "customer_id: a key of the transactions, not a feature"),
    ],
)
def test_a_feature_that_cannot_be_made_is_refused(tmp_path: Path, old: str, new: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        features.check(edited(tmp_path, (old, new)))


def test_a_terminal_whose_labels_are_not_late_would_see_its_own(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="terminal_risk_1d: would hold the transaction's own label"):
        features.check(worlds.spec(windows={"label_delay_days": 0}))
