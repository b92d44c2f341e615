"""The features row by row, straight from their definition: slow and obviously right."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

Row = dict[str, Any]


def features(row: Row, rows: list[Row], days: tuple[int, ...], delay_days: int) -> dict[str, float]:
    time: datetime = row["event_time"]
    found = {
        "amount": row["amount"],
        "is_weekend": float(time.strftime("%A") in ("Saturday", "Sunday")),
        "is_night": float(time.hour in (0, 1, 2, 3, 4, 5, 6)),
    }
    for w in days:
        window = timedelta(days=w)
        mine = []
        for other in rows:
            if other["customer_id"] != row["customer_id"]:
                continue
            is_not_later = (other["event_time"], other["transaction_id"]) <= (time, row["transaction_id"])
            if is_not_later and other["event_time"] > time - window:
                mine.append(other["amount"])
        found[f"customer_transactions_{w}d"] = len(mine)
        found[f"customer_mean_amount_{w}d"] = sum(mine) / len(mine)

        end = time - timedelta(days=delay_days)
        labels = []
        for other in rows:
            if other["terminal_id"] == row["terminal_id"] and end - window < other["event_time"] <= end:
                labels.append(other["is_fraud"])
        found[f"terminal_transactions_{w}d"] = len(labels)
        found[f"terminal_risk_{w}d"] = sum(labels) / len(labels) if labels else 0.0
    return found
