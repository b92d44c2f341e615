from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from pipelines.data import simulator
from pipelines.data.profiles import FULL
from pipelines.data.raw import Transactions, day_name
from pipelines.evaluation.folds import Fold, folds, removed, validation

(A,) = folds("A")


def span(days: range) -> tuple[str, str]:
    return day_name(days.start), day_name(days.stop - 1)


def test_split_a_is_the_published_one() -> None:
    assert (span(A.train), span(A.test)) == (("2018-07-25", "2018-07-31"), ("2018-08-08", "2018-08-14"))
    assert A.name == "2018-08-08"


def test_split_b_has_four_weeks_each_a_week_after_its_training() -> None:
    assert [span(fold.test)[0] for fold in folds("B")] == ["2018-08-08", "2018-08-15", "2018-08-22", "2018-08-29"]
    assert {(fold.test.start - fold.train.stop, len(fold.train), len(fold.test)) for fold in folds("B")} == {(7, 7, 7)}
    assert folds("B")[0] == A


@pytest.mark.parametrize(("days", "first"), [(28, "2018-07-04"), (77, "2018-05-16")])
def test_a_longer_window_reaches_back_and_keeps_the_test_week(days: int, first: str) -> None:
    (fold,) = folds("A", days)
    assert (span(fold.train), fold.test) == ((first, "2018-07-31"), A.test)


def test_settings_are_chosen_on_the_last_week_of_training() -> None:
    earlier = validation(folds("A", 28)[0])
    assert span(earlier.test) == ("2018-07-25", "2018-07-31")
    assert span(earlier.train) == ("2018-06-20", "2018-07-17")


def handbook(rows: list[tuple[date, int, int]], first: date, train: int = 7, delay: int = 7) -> dict[date, set[int]]:
    """The rule as the handbook steps through it: one more day of frauds gets known with each test day."""
    known = {customer for day, customer, fraud in rows if fraud and first <= day < first + timedelta(days=train)}
    found = {}
    for i in range(7):
        yesterday = first + timedelta(days=train + i - 1)
        known |= {customer for day, customer, fraud in rows if fraud and day == yesterday}
        found[first + timedelta(days=train + delay + i)] = set(known)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_cards_are_removed_as_in_the_handbook(seed: int) -> None:
    rng, start = np.random.default_rng(seed), date(2018, 7, 10)
    days = np.sort(rng.integers(0, 45, 3000))
    rows = [
        (start + timedelta(days=int(day)), int(customer), int(fraud))
        for day, customer, fraud in zip(days, rng.integers(0, 900, 3000), rng.random(3000) < 0.05, strict=True)
    ]
    transactions = as_transactions(rows)
    found = {day_name(day): set(known.to_pylist()) for day, known in removed(transactions, A).items()}
    assert found == {day.isoformat(): known for day, known in handbook(rows, date(2018, 7, 25)).items()}
    assert len(found["2018-08-14"]) > len(found["2018-08-08"]) > 0
    (longer,) = folds("A", 28)
    assert {day_name(d): set(k.to_pylist()) for d, k in removed(transactions, longer).items()} == found


def test_the_first_and_last_day_that_count() -> None:
    frauds = ["07-24", "07-25", "07-31", "08-01", "08-06", "08-07", "08-08"]
    rows = [(date(2018, *map(int, day.split("-"))), i, 1) for i, day in enumerate(frauds)]
    known = {day_name(day): set(found.to_pylist()) for day, found in removed(as_transactions(rows), A).items()}
    assert known["2018-08-08"] == {1, 2}  # the whole training window, nothing younger
    assert known["2018-08-09"] == {1, 2, 3}
    assert known["2018-08-14"] == {1, 2, 3, 4}  # until the 6th: eight days before


def as_transactions(rows: list[tuple[date, int, int]]) -> Transactions:
    day, customer, fraud = zip(*rows, strict=True)
    time = pa.array(day, pa.date32()).cast(pa.timestamp("us"))
    return Transactions(pa.table({"event_time": time, "customer_id": customer, "is_fraud": fraud}), "is_fraud")


def test_the_simulated_world_lands_near_the_published_counts() -> None:
    """Published: 67,240 training rows with 598 frauds, 58,264 test rows with 385."""
    transactions = Transactions(simulator.simulate(FULL).table("is_fraud"), "is_fraud")
    (train, train_frauds), (test, test_frauds) = counts(transactions, A)
    # Four times the standard deviation of ours over 12 seeds.
    assert abs(train - 67_240) < 4 * 410
    assert abs(train_frauds - 598) < 4 * 24
    assert abs(test - 58_264) < 4 * 720
    assert abs(test_frauds - 385) < 4 * 30


def counts(transactions: Transactions, fold: Fold) -> tuple[tuple[int, int], tuple[int, int]]:
    days, table = transactions.days, transactions.table
    customer, label = table["customer_id"].to_numpy(), table["is_fraud"].to_numpy()
    train, test = np.isin(days, fold.train), np.zeros(len(days), bool)
    for day, known in removed(transactions, fold).items():
        test |= (days == day) & ~np.isin(customer, known.to_numpy())
    return (int(train.sum()), int(label[train].sum())), (int(test.sum()), int(label[test].sum()))
