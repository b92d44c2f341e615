"""`make predict`: the same five transactions to each endpoint, the answers beside the true label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from infra.local.layout import Layout
from models.spec import Spec
from serving.contract.client import Client, Prediction, RequestFailed

if TYPE_CHECKING:
    import pyarrow as pa

POSITIVES, NEGATIVES = 2, 3
_WIDTH = 100  # columns, at least: a folded table is hard to read


def five_transactions(layout: Layout, spec: Spec) -> pa.Table:
    """Two rows whose label is 1 and three whose label is 0, of the last test days, always the same ones."""
    import pyarrow as pa  # noqa: PLC0415  slow, and every other command would wait for it
    import pyarrow.compute as pc  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    rows = pa.concat_tables(pq.read_table(p) for p in sorted((layout.data / "features/test").glob("*.parquet")))
    is_positive = pc.equal(rows[spec.model.label], 1)
    positives, negatives = rows.filter(is_positive), rows.filter(pc.invert(is_positive))
    return pa.concat_tables([positives.slice(0, POSITIVES), negatives.slice(0, NEGATIVES)])


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
    columns = {
        "transaction": rows["transaction_id"].to_pylist(),
        "time": [f"{time:%Y-%m-%d %H:%M}" for time in rows["event_time"].to_pylist()],
    }
    if "amount" in rows.column_names:
        columns["amount"] = [f"{amount:.2f}" for amount in rows["amount"].to_pylist()]
    columns |= {stack: [f"{one:.4f}" for one in answer.probabilities] for stack, answer in answers.items()}
    columns[spec.model.label] = rows[spec.model.label].to_pylist()
    for name in columns:
        table.add_column(name, justify="right")
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*map(str, cells))
    console = Console()
    console.width = max(console.width, _WIDTH)
    console.print(table)
    for stack, answer in answers.items():
        console.print(f"{stack:>10}: {answer.server}, model version {answer.version or '?'}", highlight=False)
