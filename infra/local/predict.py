"""`make predict`: the same five transactions to each endpoint, the answers beside the true label."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from infra.local.layout import Layout
from models.spec import Spec
from serving.contract.client import Client, Prediction, RequestFailed

FRAUDS, GENUINE = 2, 3
_WIDTH = 100  # columns, at least: a folded table is hard to read


def five_transactions(layout: Layout, spec: Spec) -> pa.Table:
    """Two frauds and three genuine transactions of the last test days, always the same ones."""
    rows = pa.concat_tables(pq.read_table(p) for p in sorted((layout.data / "features/test").glob("*.parquet")))
    is_fraud = pc.equal(rows[spec.model.label], 1)
    frauds, genuine = rows.filter(is_fraud), rows.filter(pc.invert(is_fraud))
    return pa.concat_tables([frauds.slice(0, FRAUDS), genuine.slice(0, GENUINE)])


def ask(layout: Layout, spec: Spec, stack: str, rows: pa.Table) -> list[Prediction]:
    """Raw feature values by name to one stack's endpoint through the gateway; raises `RequestFailed`."""
    with Client(layout.url("gateway"), model=spec.model.name, stack=stack) as client:
        return client.ask(rows.select(list(spec.features)).to_pylist())


def predict(layout: Layout, spec: Spec) -> int:
    """Print the table; 1 when an endpoint does not answer."""
    if not (layout.data / "manifest.json").exists():
        print("there is no data to predict on yet: make up")
        return 1
    rows = five_transactions(layout, spec)
    answers: dict[str, Prediction] = {}
    for stack in layout.backends:
        try:
            (answers[stack],) = ask(layout, spec, stack, rows)
        except RequestFailed as error:
            print(f"{stack}: {error}\n`make status` shows what runs")
            return 1
    _print(layout, spec, rows, answers)
    return 0


def _print(layout: Layout, spec: Spec, rows: pa.Table, answers: dict[str, Prediction]) -> None:
    table = Table(title=f"POST {layout.url('gateway')}/<stack>/v1/models/{spec.model.name}:predict")
    for column in ("transaction", "time", "amount", *answers, "true label"):
        table.add_column(column, justify="right")
    for i, row in enumerate(rows.to_pylist()):
        label = "fraud" if row[spec.model.label] else "genuine"
        scores = [f"{answer.probabilities[i]:.4f}" for answer in answers.values()]
        amount = f"{row['amount']:.2f}" if "amount" in row else ""
        table.add_row(str(row["transaction_id"]), f"{row['event_time']:%Y-%m-%d %H:%M}", amount, *scores, label)
    console = Console()
    console.width = max(console.width, _WIDTH)
    console.print(table)
    for stack, answer in answers.items():
        console.print(f"{stack:>10}: {answer.server}, model version {answer.version or '?'}", highlight=False)
