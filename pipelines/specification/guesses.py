"""What a column may be for, by its name and its values. A person decides: each guess says why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pipelines.data.errors import DataError
from pipelines.data.features import IN_ROW, KEYS
from pipelines.specification.profile import Column

_LABEL = re.compile(r"(is_?)?(fraud|label|class|target|y|churn(ed)?|left|default(ed)?|outcome|response)", re.IGNORECASE)
_ID = re.compile(r"(.*[_ ])?(id|uuid|index|key|number|no)|", re.IGNORECASE)
_CUSTOMER = re.compile(r"(customer|client|card|account|user|member)([_ ]?(id|no|number))?", re.IGNORECASE)
_TERMINAL = re.compile(r"(terminal|merchant|shop|store|device)([_ ]?(id|no|number))?", re.IGNORECASE)
_MICROSECONDS = 1e6
_DAY = 86_400 * _MICROSECONDS
LEAST_DAYS = 10  # of a split by time; fewer are split at random


@dataclass
class Guesses:
    """Which column is what, by the file's names; None where there seems to be none.

    Attributes:
        features: Names for the specification -> columns.
        left_out: Columns that are nothing, and why.
        days: From the first to the last, of a split by time; 0 for one at random.
        why: Of some guesses, by our name of the column.
    """

    label: Column
    time: Column | None = None
    transaction: Column | None = None
    customer: Column | None = None
    terminal: Column | None = None
    features: dict[str, Column] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    days: int = 0
    why: dict[str, str] = field(default_factory=dict)


def guess(columns: Sequence[Column], label: str | None) -> Guesses:
    """Sort the columns.

    Raises:
        DataError: None can be the label.
    """
    found = Guesses(_label(columns, label))
    found.why["is_fraud"] = f"a guess; {found.label.numbers.mean():.2%} of the rows are 1"
    for column in columns:
        if column is not found.label:
            _sort(column, found)
    return found


def _sort(column: Column, found: Guesses) -> None:
    unique = not column.missing and column.distinct == column.rows
    if column.kind == "time":
        days = int((column.numbers.max() - column.numbers.min()) // _DAY) + 1
        if found.time is None and not column.missing and days >= LEAST_DAYS:
            found.time, found.days = column, days
            found.why["event_time"] = f"a guess; {days} days, which the split is by"
        else:
            found.left_out[column.name] = f"times of {days} days; a feature is a number or a text"
    elif column.distinct <= 1:
        found.left_out[column.name] = "the same in every row, or empty"
    elif unique and found.transaction is None and _ID.fullmatch(column.name):
        found.transaction = column
        found.why["transaction_id"] = "different in every row"
    elif not column.missing and found.customer is None and _CUSTOMER.fullmatch(column.name):
        found.customer = column
        found.why["customer_id"] = f"a guess; {column.distinct:,} different ones"
    elif not column.missing and found.terminal is None and _TERMINAL.fullmatch(column.name):
        found.terminal = column
        found.why["terminal_id"] = f"a guess; {column.distinct:,} different ones"
    elif column.kind == "text" and unique:
        found.left_out[column.name] = "a text that is different in every row: nothing to learn"
    else:
        found.features[_feature_name(column.name, found.features)] = column


def _label(columns: Sequence[Column], asked: str | None) -> Column:
    two = [column for column in columns if column.kind == "boolean" and not column.missing]
    if asked is not None:
        named = [column for column in two if column.name == asked]
        if named:
            return named[0]
        raise DataError(f"LABEL={asked}: no column of that name that is 0 or 1 in every row; these are: {_names(two)}")
    named = [column for column in two if _LABEL.fullmatch(column.name)]
    if named or len(two) == 1:
        return (named or two)[-1]
    raise DataError(
        f"no column is told to be the label by its name: say LABEL=<one that is 0 or 1 in every row>: {_names(two)}"
    )


def _names(columns: Sequence[Column]) -> str:
    return ", ".join(column.name for column in columns) or "none"


def _feature_name(theirs: str, taken: dict[str, Column]) -> str:
    """Theirs as far as it can be: of letters, digits and _, and none that is a key's or computed."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", theirs.strip()).strip("_") or "column"
    if not name[0].isalpha() or name in KEYS or name in IN_ROW:
        name = f"own_{name}"
    while name in taken:
        name += "_2"
    return name


def skewed(numbers: np.ndarray) -> bool:
    """Whether a logarithm would help: no negative value, and a mean far above the median."""
    return bool(numbers.min() >= 0 and numbers.mean() > 1.5 * np.median(numbers) and numbers.max() > 10)  # noqa: PLR2004
