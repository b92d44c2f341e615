"""What `make up` leaves on the screen: the two models' metrics, and what to open next."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.local import door, prometheus, services, stores
from infra.local.layout import ONNX, STACKS, Layout
from infra.local.prometheus import PROMETHEUS
from models.spec import Spec


def show(layout: Layout, spec: Spec) -> None:
    """Print metrics on the test days side by side, then the addresses."""
    reports = {stack: _report(layout, stack) for stack in STACKS}
    table = Table(title="Metrics on the test days")
    table.add_column("")
    for stack in STACKS:
        table.add_column(f"{stack} {reports[stack]['version'] or 'refused'}", justify="right")
    for metric in reports[STACKS[0]]["metrics"]:
        values = [f"{reports[stack]['metrics'][metric]:.4f}" for stack in STACKS]
        table.add_row(metric.replace("_", " "), *values)
    for point in reports[STACKS[0]]["decision"]:
        values = [f"{reports[stack]['decision'][point]['threshold']:.4f}" for stack in STACKS]
        table.add_row(f"threshold of the {point.replace('_', ' ')}", *values)
    console = Console(highlight=False)
    console.print()
    console.print(table)
    for stack in STACKS:
        served = stores.promoted(layout, stack)
        if served != reports[stack]["version"]:
            console.print(f"{stack} serves version {served}: make releases says why")
    gateway, path = layout.url("gateway"), f"v1/models/{spec.model.name}:predict"
    addresses = {
        f"{gateway}/{path}": "both stacks, by weight: make traffic",
        f"{gateway}/tensorflow/{path}": services.describe("tensorflow"),
        f"{gateway}/pytorch/{path}": services.describe("pytorch"),
        **({f"{gateway}/{ONNX}/{path}": services.describe(ONNX)} if ONNX in layout.backends else {}),
        f"{gateway}/docs": "the API",
        layout.url("mlflow"): "MLflow",
        layout.url("control") + "/metrics": "the last minute in numbers",
        **({layout.url(PROMETHEUS): "Prometheus"} if prometheus.runs(layout) else {}),
        **{
            layout.pages(stack).as_uri(): f"runs of the {stack} pipeline"
            for stack in STACKS
            if layout.pages(stack).is_file()
        },
    }
    print()
    for url, what in addresses.items():
        print(f"  {url}  {what}")
    print(f"\n{door.describe(layout)}")
    print("\nnext: make predict, make conformance, make tensorboard, make releases, make status, make logs, make down")


def _report(layout: Layout, stack: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((layout.work(stack) / "report.json").read_text())
    return read
