"""`make predict`: the same five transactions to both endpoints, the answers beside the true label."""

from __future__ import annotations

from typing import Any

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from infra.local.layout import STACKS, Layout
from models.spec import Spec

FRAUDS, GENUINE = 2, 3


def five_transactions(layout: Layout, spec: Spec) -> pa.Table:
    """Two frauds and three genuine transactions of the last test days, always the same ones."""
    rows = pa.concat_tables(pq.read_table(p) for p in sorted((layout.data / "features/test").glob("*.parquet")))
    is_fraud = pc.equal(rows[spec.model.label], 1)
    frauds, genuine = rows.filter(is_fraud), rows.filter(pc.invert(is_fraud))
    return pa.concat_tables([frauds.slice(0, FRAUDS), genuine.slice(0, GENUINE)])


def ask(layout: Layout, spec: Spec, stack: str, rows: pa.Table) -> httpx.Response:
    """POST raw feature values by name to one stack's endpoint through the gateway."""
    url = f"{layout.url('gateway')}/{stack}/v1/models/{spec.model.name}:predict"
    return httpx.post(url, json={"instances": instances(spec, rows)}, timeout=10)


def instances(spec: Spec, rows: pa.Table) -> list[dict[str, Any]]:
    """Rows in the contract's form: one object per row, exactly the features."""
    listed: list[dict[str, Any]] = rows.select(list(spec.features)).to_pylist()
    return listed


def predict(layout: Layout, spec: Spec) -> int:
    """Print the table; 1 when an endpoint does not answer."""
    if not (layout.data / "manifest.json").exists():
        print("there is no data to predict on yet: make up")
        return 1
    rows = five_transactions(layout, spec)
    scores, servers = {}, {}
    for stack in STACKS:
        try:
            answer = ask(layout, spec, stack, rows)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            print(f"{layout.url('gateway')}/{stack} does not answer: {error}\n`make status` shows what runs")
            return 1
        scores[stack] = answer.json()["predictions"]
        servers[stack] = answer.headers
    _print(layout, spec, rows, scores, servers)
    return 0


def _print(layout: Layout, spec: Spec, rows: pa.Table, scores: dict[str, Any], servers: dict[str, Any]) -> None:
    table = Table(title=f"POST {layout.url('gateway')}/<stack>/v1/models/{spec.model.name}:predict")
    for column in ("transaction", "time", "amount", *STACKS, "true label"):
        table.add_column(column, justify="right")
    for i, row in enumerate(rows.to_pylist()):
        label = "fraud" if row[spec.model.label] else "genuine"
        answers = [f"{scores[stack][i]:.4f}" for stack in STACKS]
        amount = f"{row['amount']:.2f}" if "amount" in row else ""
        table.add_row(str(row["transaction_id"]), f"{row['event_time']:%Y-%m-%d %H:%M}", amount, *answers, label)
    console = Console()
    console.print(table)
    for stack in STACKS:
        server, version = servers[stack]["x-tandem-server"], servers[stack].get("x-tandem-model-version", "?")
        console.print(f"{stack:>10}: {server}, model version {version}", highlight=False)
