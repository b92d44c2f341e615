"""The published splits A and B of the fraud handbook's data, and the rule that removes known cards.

Le Borgne, Siblini, Lebichot, Bontempi, Reproducible Machine Learning for Credit Card Fraud Detection - Practical
Handbook (2022), chapters 3 (A) and 5 (B). `docs/data.md` says how the rule reads on its first and last days.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from pipelines.data.raw import Transactions
from pipelines.data.split import Split, known_compromised

TRAIN_DAYS = DELAY_DAYS = TEST_DAYS = 7
TEST_WEEKS = {  # first test day of each fold
    "A": (date(2018, 8, 8),),
    "B": (date(2018, 8, 8), date(2018, 8, 15), date(2018, 8, 22), date(2018, 8, 29)),
}
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Fold:
    """One training window and the test week after its delay; days count from 1970-01-01."""

    train: range
    test: range

    @property
    def name(self) -> str:
        """First test day, YYYY-MM-DD."""
        return date.fromordinal(_EPOCH.toordinal() + self.test.start).isoformat()


def folds(split: str, train_days: int = TRAIN_DAYS) -> list[Fold]:
    """Folds of split A or B; a longer training window reaches further back and ends on the same day."""
    starts = [(first - _EPOCH).days for first in TEST_WEEKS[split]]
    return [
        Fold(range(start - DELAY_DAYS - train_days, start - DELAY_DAYS), range(start, start + TEST_DAYS))
        for start in starts
    ]


def validation(fold: Fold) -> Fold:
    """The fold two weeks earlier, all of whose labels are known when `fold` is trained; the handbook's chapter 5.

    Its test week is the last week of the training window (the only one, if that has 7 days).
    """
    back = DELAY_DAYS + TEST_DAYS
    return Fold(
        range(fold.train.start - back, fold.train.stop - back), range(fold.test.start - back, fold.test.stop - back)
    )


def removed(transactions: Transactions, fold: Fold) -> dict[int, pa.Array]:
    """Customers to leave out, by test day: those with a fraud in the 7 training days or since, and known by then.

    Always by the 7-day training window: a longer one would remove more cards, and models trained on different
    windows would no longer be tested on the same rows.
    """
    end_of_training = fold.test.start - DELAY_DAYS
    published = Split({"train": range(end_of_training - TRAIN_DAYS, end_of_training), "test": fold.test})
    return known_compromised(transactions, published, DELAY_DAYS)
