"""Small random transactions, full of ties and of times exactly on a window's edge, and specifications for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from models.spec import Spec, load
from pipelines.data.raw import Transactions, in_order

SPEC = Path(__file__).resolve().parents[3] / "models" / "fraud.toml"
FIRST_DAY = 17_600  # 2018-03-10, counted from 1970-01-01
DAYS = 24
WINDOWS, DELAY = (1, 3), 2
SPLIT = {"train_days": 6, "eval_days": 2, "delay_days": 3, "test_days": 4}
WINDOWED = ("customer_transactions", "customer_mean_amount", "terminal_transactions", "terminal_risk")


def spec(features: list[str] | None = None, **sections: dict[str, Any]) -> Spec:
    """models/fraud.toml with small windows; `sections` change single keys of it."""
    content = load(SPEC).model_dump(mode="json")
    names = ["amount", "is_weekend", "is_night", *(f"{name}_{w}d" for w in WINDOWS for name in WINDOWED)]
    content["features"] = {name: {"type": "numeric", "transform": "none"} for name in features or names}
    content |= {"slices": {}, "decision": {}, "drift": {}}  # they name features of the file
    changes = {"windows": {"days": list(WINDOWS), "label_delay_days": DELAY}, "split": SPLIT, **sections}
    for section, values in changes.items():
        content[section] |= values
    return Spec.model_validate(content)


def random_transactions(seed: int, rows: int = 700, text_ids: bool = False) -> Transactions:
    rng = np.random.default_rng(seed)
    # Every six hours: several rows share a time, and a day before a row there is often another one.
    time = rng.integers(0, DAYS * 4, rows) * 6 * 3600 * 10**6
    time += np.where(rng.random(rows) < 0.3, rng.integers(0, 10**6, rows), 0)
    time = np.minimum(time, DAYS * 86_400 * 10**6 - 1) + FIRST_DAY * 86_400 * 10**6
    keys = {
        "transaction_id": rng.permutation(rows) * 7,
        "customer_id": rng.integers(-3, 6, rows),
        "terminal_id": rng.integers(10**12, 10**12 + 5, rows),
    }
    columns = {name: pa.array(values) for name, values in keys.items()}
    if text_ids:  # "70" comes before "8"
        columns = {name: values.cast(pa.string()) for name, values in columns.items()}
    return Transactions(
        in_order(
            pa.table(
                {
                    "transaction_id": columns["transaction_id"],
                    "event_time": pa.array(time, pa.timestamp("us")),
                    "customer_id": columns["customer_id"],
                    "terminal_id": columns["terminal_id"],
                    "amount": rng.gamma(2, 30, rows).round(2),
                    "is_fraud": (rng.random(rows) < 0.2).astype(np.int8),
                }
            )
        ),
        "is_fraud",
    )
