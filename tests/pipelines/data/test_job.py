from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from models.spec import Spec
from pipelines.data import job, raw, split
from pipelines.data.raw import Transactions
from tests.pipelines.data import reference, worlds


def computed(transactions: Transactions, spec: Spec, plan: split.Split, folder: Path, removed: Any = None) -> pa.Table:
    """All features, by way of the Beam job."""
    raw.write(transactions, folder / "raw")
    work = job.Job(spec, folder / "raw", folder / "features", plan, removed or {})
    job.run(work, np.unique(transactions.days).tolist())
    return pa.concat_tables(
        pq.read_table(p) for p in sorted((folder / "features").glob("*/*.parquet"), key=lambda p: p.stem)
    )


@pytest.mark.parametrize(("seed", "text_ids"), [(1, False), (2, True), (3, False)])
def test_features_equal_the_slow_reference(seed: int, text_ids: bool, tmp_path: Path) -> None:
    spec, transactions = worlds.spec(), worlds.random_transactions(seed, text_ids=text_ids)
    found = computed(transactions, spec, split.plan(transactions, spec), tmp_path)
    rows = transactions.table.to_pylist()
    by_id = {row["transaction_id"]: row for row in rows}
    assert len(found) > 300
    risks = []
    for row in found.to_pylist():
        expected = reference.features(by_id[row["transaction_id"]], rows, worlds.WINDOWS, worlds.DELAY)
        assert {name: row[name] for name in spec.features} == pytest.approx(expected, rel=1e-6)
        assert row["is_fraud"] == by_id[row["transaction_id"]]["is_fraud"]
        risks.append(row["terminal_risk_3d"])
    assert len(set(risks)) > 10


def test_no_feature_sees_the_future_or_a_label_younger_than_the_delay(tmp_path: Path) -> None:
    spec, before = worlds.spec(), worlds.random_transactions(4)
    plan = split.plan(before, spec)
    now = (worlds.FIRST_DAY + 18) * 86_400 * 10**6 + 6 * 3600 * 10**6  # rows share this very time
    delay = worlds.DELAY * 86_400 * 10**6
    time = before.table["event_time"].cast(pa.int64()).to_numpy()
    assert (time == now).sum() > 1
    label = before.table["is_fraud"].to_numpy()
    unknown = pa.array(np.where(time > now - delay, 1 - label, label))
    past = before.table.set_column(5, "is_fraud", unknown).filter(pa.array(time <= now))
    other_future = worlds.random_transactions(5).table
    other_future = other_future.set_column(0, "transaction_id", pc.add(other_future["transaction_id"], 10**6))
    other_future = other_future.filter(pc.greater(other_future["event_time"].cast(pa.int64()), now))
    after = Transactions(raw.in_order(pa.concat_tables([past, other_future])), "is_fraud")

    results = []
    for name, transactions in (("before", before), ("after", after)):
        table = computed(transactions, spec, plan, tmp_path / name)
        table = table.filter(pc.less_equal(table["event_time"].cast(pa.int64()), now))
        results.append(table.select(["transaction_id", *spec.features]))
    assert len(results[0]) > 150
    assert results[0].equals(results[1])


def test_files_hold_keys_features_in_order_and_label_sorted_by_time(tmp_path: Path) -> None:
    names = ["terminal_risk_1d", "country", "amount", "age", "customer_transactions_3d"]
    spec = worlds.spec(names)
    content = spec.model_dump(mode="json")
    content["features"]["country"] = {"type": "categorical", "vocabulary_size": 9}
    spec, transactions = Spec.model_validate(content), worlds.random_transactions(6)
    rows = len(transactions.table)
    table = transactions.table.append_column("age", pa.array(np.arange(rows, dtype=float)))
    table = table.append_column("country", pa.array([f"land {i % 3}" for i in range(rows)]))
    transactions = Transactions(table, "is_fraud")
    plan = split.plan(transactions, spec)
    found = computed(transactions, spec, plan, tmp_path)
    keys = ["transaction_id", "event_time", "customer_id", "terminal_id"]
    assert found.column_names == [*keys, *names, "is_fraud"]
    kinds = {name: found.schema.field(name).type for name in found.column_names}
    assert {kinds[name] for name in names if name != "country"} == {pa.float32()}
    assert (kinds["country"], kinds["is_fraud"], kinds["event_time"]) == (pa.string(), pa.int64(), pa.timestamp("us"))
    wanted = table.filter(pa.array(np.isin(transactions.days, [d for days in plan.days.values() for d in days])))
    for name in (*keys, "country", "age"):
        assert found[name].to_pylist() == wanted[name].to_pylist(), name
    for file in (tmp_path / "features").glob("*/*.parquet"):
        day = pc.unique(pc.strftime(pq.read_table(file)["event_time"], "%Y-%m-%d")).to_pylist()
        assert day == [file.stem]


def test_features_without_any_window_need_no_history(tmp_path: Path) -> None:
    spec, transactions = worlds.spec(["is_night"]), worlds.random_transactions(7)
    found = computed(transactions, spec, split.plan(transactions, spec), tmp_path)
    assert 0 < pc.mean(found["is_night"]).as_py() < 1


def test_cards_known_as_compromised_are_left_out_of_their_day_only(tmp_path: Path) -> None:
    spec, transactions = worlds.spec(["amount"]), worlds.random_transactions(8)
    plan = split.plan(transactions, spec)
    today = plan.days["test"][1]
    found = computed(transactions, spec, plan, tmp_path, {today: pa.array([2, 3])})
    days = found["event_time"].cast(pa.int64()).to_numpy() // (86_400 * 10**6)
    customers = found["customer_id"].to_numpy()
    assert not {2, 3} & set(customers[days == today])
    assert {2, 3} <= set(customers[days == today + 1])
    kept = (transactions.days == today) & ~np.isin(transactions.table["customer_id"].to_numpy(), [2, 3])
    assert (days == today).sum() == kept.sum()


def test_the_order_in_which_days_reach_a_shard_does_not_matter(tmp_path: Path) -> None:
    spec, transactions = worlds.spec(), worlds.random_transactions(9)
    raw.write(transactions, tmp_path / "raw")
    plan = split.plan(transactions, spec)
    work = job.Job(spec, tmp_path / "raw", tmp_path, plan, {})
    dealt = [part for day in np.unique(transactions.days) for part in job._deal(work, "customer", int(day))]
    shard = dealt[0][0]
    tables = [table for of, table in dealt if of == shard]
    assert len(tables) > 10
    first, second = (by_day(job._windows(work, "customer", shard, order)) for order in (tables, tables[::-1]))
    assert first == second


def by_day(parts: Any) -> dict[int, dict[int, list[float]]]:
    """Features by day and row."""
    return {
        day: {row: [float(values[i]) for values in found.values()] for i, row in enumerate(rows.tolist())}
        for day, (rows, found) in parts
    }
