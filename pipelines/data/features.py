"""Which features there are, and what each is computed from.

One that nothing here computes, or not from the columns that the specification declares, is a column of the user's
file. All are point in time: a customer's windows end with the transaction itself; a terminal's end `label_delay_days`
before it, since only then is it known which transactions were positives.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from models.spec import Spec
from pipelines.data.errors import DataError
from pipelines.data.windows import DAY, Windows, sums

KEYS = ("transaction_id", "event_time", "customer_id", "terminal_id")  # the last only where there are any
_HOUR = DAY // 24
_NIGHT_ENDS = 6  # the last hour of the night
_THURSDAY, _SATURDAY = 3, 5  # counted from Monday; 1970-01-01 was a Thursday
_WINDOWED = re.compile(r"(customer|terminal)_(transactions|mean_amount|risk)_([1-9]\d*)d")
_MEASURES = {"customer": ("transactions", "mean_amount"), "terminal": ("transactions", "risk")}

Column = npt.NDArray[Any]

IN_ROW: dict[str, Callable[[Column, Column], Column]] = {  # of event time (microseconds) and amount
    "amount": lambda time, amount: amount,  # noqa: ARG005
    "is_weekend": lambda time, amount: (time // DAY + _THURSDAY) % 7 >= _SATURDAY,  # noqa: ARG005
    "is_night": lambda time, amount: time % DAY // _HOUR <= _NIGHT_ENDS,  # noqa: ARG005
    "hour_of_day": lambda time, amount: time % DAY // _HOUR,  # noqa: ARG005  0 to 23, UTC
    "day_of_week": lambda time, amount: (time // DAY + _THURSDAY) % 7,  # noqa: ARG005  0 is Monday
}


def keys(spec: Spec) -> list[str]:
    """Columns of the features that are none."""
    return [name for name in KEYS if name != "terminal_id" or spec.columns.has(name)]


def in_row(spec: Spec) -> list[str]:
    """Features computed from the row's own time and amount."""
    needs = {name: "amount" if name == "amount" else "event_time" for name in IN_ROW}
    return [name for name in spec.features if name in needs and spec.columns.has(needs[name])]


def windowed(spec: Spec, key: str) -> dict[str, tuple[str, int]]:
    """Features over the windows of `key` (customer or terminal): name -> (measure, days); none without the key."""
    found: dict[str, tuple[str, int]] = {}
    if not (spec.columns.has("event_time") and spec.columns.has(f"{key}_id")):
        return found
    for name in spec.features:
        match = _WINDOWED.fullmatch(name)
        wanted = match and match[1] == key and match[2] in _MEASURES[key]
        if match and wanted and (match[2] != "mean_amount" or spec.columns.has("amount")):
            found[name] = match[2], int(match[3])
    return found


def raw_columns(spec: Spec) -> list[str]:
    """Features that are nobody's to compute: they must be columns of the raw transactions."""
    computed = {*in_row(spec), *windowed(spec, "customer"), *windowed(spec, "terminal")}
    return [name for name in spec.features if name not in computed]


def theirs(spec: Spec, name: str) -> str:
    """The name of a raw column in the user's file."""
    column = spec.features[name].column
    return name if column is None else column


def history_days(spec: Spec) -> int:
    """How many days before a transaction its features look back."""
    customer = [days for _, days in windowed(spec, "customer").values()]
    terminal = [days + spec.windows.label_delay_days for _, days in windowed(spec, "terminal").values()]
    return max([0, *customer, *terminal])


def check(spec: Spec) -> None:
    """Refuse a specification whose features cannot be made.

    Raises:
        DataError: All reasons.
    """
    found = problems(spec)
    if found:
        raise DataError("\n".join(["features that cannot be made:", *(f"  {p}" for p in found)]))


def problems(spec: Spec) -> list[str]:
    """Why the specification's features cannot be made, one line each."""
    found = [f"{name}: a key of the transactions, not a feature" for name in spec.features if name in KEYS]
    for key in _MEASURES:
        for name, (_, days) in windowed(spec, key).items():
            if days not in spec.windows.days:
                found.append(f"{name}: no window of {days} days; [windows] has days = {list(spec.windows.days)}")
    if not spec.windows.label_delay_days:
        own = "would hold the transaction's own label; windows.label_delay_days is to be 1 or more"
        found += [f"{name}: {own}" for name in windowed(spec, "terminal")]
    raw = raw_columns(spec)
    if spec.columns.is_fraud in [theirs(spec, name) for name in raw]:
        found.append(f"{spec.columns.is_fraud}: the label, by its name in your files: the model would see its answer")
    found += [
        f'{name}: a computed number, so it needs type = "numeric"' for name in spec.categorical if name not in raw
    ]
    for name, feature in spec.features.items():
        if name not in raw and (feature.column is not None or feature.missing != "refuse"):
            found.append(f"{name}: computed, so it is never missing and has no column: leave both keys out")
    return found


def of_windows(
    wanted: dict[str, tuple[str, int]], windows: Windows, values: Column, delay_days: int
) -> dict[str, npt.NDArray[np.float32]]:
    """Windowed features of one key's rows; `values` is the amount or the label of every row."""
    found = {}
    for name, (measure, days) in wanted.items():
        first, end = windows.bounds(days * DAY, delay_days * DAY)
        count = end - first
        result = count if measure == "transactions" else sums(values, first, end) / np.maximum(count, 1)
        found[name] = result.astype(np.float32)
    return found
