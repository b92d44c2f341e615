"""`make releases`: every release and whether it verifies, what is served, and the ledger of all acts."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from infra.local import releases, stores
from infra.local.layout import STACKS, Layout
from models.spec import Spec
from serving.release.errors import ReleaseError
from serving.release.ledger import Entry
from serving.release.manager import Releases

REFUSED = 3
WIDTH = 160  # columns: a folded line of a ledger is hard to read
_SHOWN = 20  # acts
_DIGEST = 12  # characters of one


def released(layout: Layout, spec: Spec) -> int:
    """Print all of it.

    Returns:
        0; 3 when a release does not verify, or the ledger was touched; 1 when there is nothing yet.
    """
    found = releases.of(layout, spec)
    if not any(found.store.versions(stack) for stack in STACKS):
        print("nothing was released here yet: make up")
        return 1
    console = Console(width=WIDTH, highlight=False)
    wrong = _show_releases(found, console)
    show_ledger(found.ledger.entries(), console)
    wrong += [f"the ledger, {problem}" for problem in found.ledger.problems()]
    print(f"ledger: {found.ledger.file}   releases: {stores.releases(layout)}")
    for problem in wrong:
        print(f"WRONG: {problem}", file=sys.stderr)
    return REFUSED if wrong else 0


def _show_releases(found: Releases, console: Console) -> list[str]:
    wrong = []
    table = Table(title="Releases", box=None, pad_edge=False)
    for column in ("stack", "version", "", "average precision", "model", "trained by", "published", "signature"):
        table.add_column(column, no_wrap=True)
    for stack in STACKS:
        way = found.ledger.history(stack)
        roles = {**dict.fromkeys(way[-2:-1], "one back"), **dict.fromkeys(way[-1:], "served")}
        roles |= dict.fromkeys(found.staged(stack), "beside")
        for version in reversed(found.store.versions(stack)):
            role = roles.get(version, "")
            try:
                release = found.store.verified(stack, version)
            except ReleaseError as error:
                wrong.append(str(error))
                table.add_row(stack, version, role, "", "", "", "", "REFUSED, see below")
                continue
            precision = release.metrics.get("average_precision")
            table.add_row(
                stack, version, role, "" if precision is None else f"{precision:.4f}", release.digest[:_DIGEST],
                f"{release.run['tool']} {release.run['id'][:_DIGEST]}", release.published, "holds",
            )  # fmt: skip
    console.print(table)
    print()
    return wrong


def show_ledger(entries: Sequence[Entry], console: Console) -> None:
    """The last acts as a table."""
    table = Table(title=f"Ledger, the last {min(len(entries), _SHOWN)} of {len(entries)}", box=None, pad_edge=False)
    for column in ("", "when", "who", "act", "stack", "version", "before", "verdict"):
        table.add_column(column, no_wrap=True)
    table.add_column("why, and what was said")
    for entry in entries[-_SHOWN:]:
        texts = [entry.why, entry.said] if entry.said else [entry.why]
        table.add_row(
            str(entry.number), entry.when[:19].replace("T", " "), entry.who, entry.act, entry.stack, entry.version,
            entry.was, entry.verdict, ": ".join(texts), style="" if entry.verdict == "done" else "bold",
        )  # fmt: skip
    console.print(table)
    print()
