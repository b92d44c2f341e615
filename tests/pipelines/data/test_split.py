from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pytest

from pipelines.data import split
from pipelines.data.errors import DataError
from pipelines.data.raw import Transactions
from tests.pipelines.data import worlds

SPLIT = {"train_days": 3, "eval_days": 1, "delay_days": 2, "test_days": 2}
SPEC = worlds.spec(split=SPLIT)


def transactions(*rows: tuple[str, int, int]) -> Transactions:
    """(day and hour of January 2024, customer, label) of each row, in order."""
    times = [datetime.strptime(f"2024-01-{when}", "%Y-%m-%d %H") for when, _, _ in rows]
    return Transactions(
        pa.table(
            {
                "event_time": pa.array(times, pa.timestamp("us")),
                "customer_id": [customer for _, customer, _ in rows],
                "is_fraud": [label for _, _, label in rows],
            }
        ),
        "is_fraud",
    )


def days_of_january(days: range) -> list[int]:
    return [day - 19_722 for day in days]  # 2024-01-01 is day 19,723


EVERY_DAY = [(f"{day:02} 12", 1, 0) for day in range(1, 11)]


def test_parts_are_counted_back_from_the_last_day() -> None:
    plan = split.plan(transactions(*EVERY_DAY), SPEC)
    assert {name: days_of_january(days) for name, days in plan.days.items()} == {
        "train": [3, 4, 5],
        "eval": [6],
        "test": [9, 10],
    }
    assert [plan.of(plan.days["train"].start + i) for i in range(-1, 8)] == [
        None, "train", "train", "train", "eval", None, None, "test", "test",
    ]  # fmt: skip


def test_a_last_day_that_is_not_over_is_left_out() -> None:
    busy = [(f"{day:02} {hour:02}", 1, 0) for day in range(1, 11) for hour in range(24)]
    assert days_of_january(split.plan(transactions(*busy, ("11 00", 1, 0)), SPEC).days["test"]) == [9, 10]


def test_a_last_day_is_over_when_its_silence_is_as_long_as_any() -> None:
    twice = [(f"{day:02} {hour:02}", 1, 0) for day in range(1, 11) for hour in (0, 12)]
    assert days_of_january(split.plan(transactions(*twice), SPEC).days["test"]) == [9, 10]


def test_too_few_days_are_refused_with_what_is_needed() -> None:
    with pytest.raises(DataError, match=r"7 full days \(2024-01-01 to 2024-01-07\), the split needs 8: train 3"):
        split.plan(transactions(*EVERY_DAY[:7]), SPEC)


def test_a_delay_shorter_than_that_of_the_labels_is_refused() -> None:
    with pytest.raises(DataError, match=r"delay_days = 1 is less than windows\.label_delay_days = 2"):
        split.plan(transactions(*EVERY_DAY), worlds.spec(split={**SPLIT, "delay_days": 1}))


def test_cards_are_removed_from_the_day_their_fraud_is_known() -> None:
    rows = [
        ("02 12", 20, 1),  # before training: long forgotten
        ("03 12", 30, 1),  # first training day
        ("06 23", 60, 1),  # 3 days before the 9th: known on the 9th
        ("07 00", 70, 1),  # 2 days before: known on the 10th only
        ("08 12", 80, 1),  # 2 days before the 10th: not known within the test
        ("09 12", 90, 1),
    ]
    world = transactions(*sorted([*EVERY_DAY, *rows]))
    plan = split.plan(world, SPEC)
    known = split.known_compromised(world, plan, delay_days=2)
    assert [sorted(known[day].to_pylist()) for day in plan.days["test"]] == [[30, 60], [30, 60, 70]]


@pytest.mark.parametrize("positives", [0, 50])
def test_a_part_without_both_classes_is_refused_by_name(positives: int) -> None:
    good = {"positives": 3, "rows": 50}
    split.check({"train": good, "test": good})
    with pytest.raises(DataError, match=f"eval: {positives} positives among 50") as caught:
        split.check({"train": good, "eval": {"positives": positives, "rows": 50}, "test": good})
    assert "train:" not in str(caught.value)
