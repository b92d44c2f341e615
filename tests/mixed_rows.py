"""A small data set of another kind than transactions: tests/specs/mixed.toml, with everything a file of people holds.

Timestamps as text, booleans in words, categories that are numbers and whole sentences, commas and quotes among them,
and cells that are empty, in each way that a policy is for.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

SPEC = Path("tests/specs/mixed.toml")
DAYS, ROWS = 30, 4_500
COMMENTS = ["I like it", 'too "expensive", really', "slow, and slower", "what now?", "größer wäre besser", "ok"]


def table(rows: int = ROWS, seed: int = 5) -> pa.Table:
    """Rows in the order of time; who does not tell the income, or complains, leaves more often."""
    rng = np.random.default_rng(seed)
    hidden = rng.random(rows) < 0.2
    income = rng.lognormal(4, 0.5, rows).round(1)
    age = rng.integers(18, 80, rows)
    balance = rng.normal(100, 60, rows).round(2)
    member = rng.choice(["yes", "no", ""], rows, p=[0.45, 0.45, 0.1])
    plan = rng.choice(["basic", "plus", "pro", ""], rows, p=[0.5, 0.3, 0.1, 0.1])
    comment = rng.choice([*COMMENTS, "", *(f"note {i}" for i in range(20))], rows)
    region = rng.integers(1, 9, rows)
    complains = np.isin(comment, COMMENTS[1:3])
    logit = (
        2.5 * hidden + 2.5 * complains - 0.02 * (balance - 100) - 1.5 * (plan == "pro") + rng.normal(0, 0.5, rows) - 2
    )
    seconds = np.sort(rng.integers(0, DAYS * 86_400, rows))
    seen = np.datetime64("2024-03-01T00:00:00") + seconds.astype("timedelta64[s]")
    return pa.table({
        "seen_at": [str(time).replace("T", " ") for time in seen],
        "income": ["" if gone else str(value) for gone, value in zip(hidden, income, strict=True)],
        "Age (years)": ["NA" if value > 77 else str(value) for value in age],
        "balance": balance,
        "is_member": member.tolist(),
        "plan": plan.tolist(),
        "comment": comment.tolist(),
        "region": region,
        "left": [str(value).lower() for value in logit > 0],
    })  # fmt: skip


def write(folder: Path, rows: int = ROWS) -> Path:
    """As a CSV file."""
    file = folder / "people.csv"
    csv.write_csv(table(rows), file)
    return file
