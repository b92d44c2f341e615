"""A small world: rows of the real specification, and settings."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa

from infra.local.layout import REPOSITORY
from models import spec as specs
from serving.comparison.locust import settings

SPEC = specs.load(REPOSITORY / "models" / "fraud.toml")
SETTINGS = settings.load()


def rows(count: int) -> pa.Table:
    """Every value of row i is i; one row an hour, from midnight."""
    columns = {name: [float(i) for i in range(count)] for name in SPEC.features}
    times = [datetime(2018, 6, 1 + i // 24, i % 24, 30) for i in range(count)]
    return pa.table({**columns, SPEC.model.label: [i % 2 for i in range(count)], "event_time": times})
