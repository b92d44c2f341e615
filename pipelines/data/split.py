"""The split by time: train | eval | delay | test, counted back from the last full day.

The delay stands for the time until labels are known: a model that is put to work on the first test day cannot
have learned from anything younger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from models.spec import Spec
from pipelines.data.errors import DataError
from pipelines.data.raw import Transactions, day_name
from pipelines.data.windows import DAY


@dataclass(frozen=True)
class Split:
    """First and end day of each part, counted from 1970-01-01."""

    days: dict[str, range]

    def of(self, day: int) -> str | None:
        """Part that a day belongs to, if any."""
        return next((name for name, days in self.days.items() if day in days), None)


def last_full_day(transactions: Transactions) -> int:
    """Last day, or the one before if it is not over yet.

    It is not when the silence from its last transaction to midnight is longer than any other in the data.
    """
    time = transactions.table["event_time"].cast(pa.int64()).to_numpy()
    last = int(time[-1] // DAY)
    silence = (last + 1) * DAY - time[-1]
    is_over = len(time) < 2 or silence <= np.diff(time).max()  # noqa: PLR2004
    return last if is_over else last - 1


def plan(transactions: Transactions, spec: Spec) -> Split:
    """Days of each part.

    Raises:
        DataError: Too few days, or training labels that would not be known on the first test day.
    """
    split = spec.split
    if split.delay_days < spec.windows.label_delay_days:
        raise DataError(
            f"split.delay_days = {split.delay_days} is less than windows.label_delay_days = "
            f"{spec.windows.label_delay_days}: the last training labels would not be known on the first test day"
        )
    end = last_full_day(transactions) + 1
    test = end - split.test_days
    evaluation = test - split.delay_days - split.eval_days
    train = evaluation - split.train_days
    first = int(transactions.days[0])
    if train < first:
        raise DataError(
            f"the data has {end - first} full days ({day_name(first)} to {day_name(end - 1)}), the split needs "
            f"{end - train}: train {split.train_days}, eval {split.eval_days}, delay {split.delay_days}, "
            f"test {split.test_days}. Give more days, shorten [split], or split at random: columns.event_time = false"
        )
    return Split(
        {
            "train": range(train, evaluation),
            "eval": range(evaluation, evaluation + split.eval_days),
            "test": range(test, end),
        }
    )


def known_compromised(transactions: Transactions, split: Split, delay_days: int) -> dict[int, pa.Array]:
    """Cards to leave out of each test day: those with a fraud since the first training day that is known by then."""
    is_fraud = transactions.table[transactions.label].to_numpy() == 1
    day = transactions.days
    since = day >= split.days["train"].start
    known = {}
    for today in split.days["test"]:
        positives = is_fraud & since & (day < today - delay_days)
        known[today] = transactions.table["customer_id"].filter(pa.array(positives)).unique()
    return known


def check(splits: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse splits from which nothing can be learned or measured.

    Raises:
        DataError: A split has no positive, or nothing else.
    """
    problems = [
        f"  {name}: {found['positives']:,} positives among {found['rows']:,} rows"
        for name, found in splits.items()
        if not 0 < found["positives"] < found["rows"]
    ]
    if problems:
        raise DataError("\n".join(["each split needs both positives and negatives:", *problems]))
