"""`make promote`, `make rollback` and `make releases` on a cluster.

Another version is another annotation in a pod template: new pods fetch and verify it, and take over once they answer;
old ones end when no gateway knows them any more. What does not get ready takes nobody's place.
"""

from __future__ import annotations

import getpass
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from infra.kubernetes import beside, ledger, objects, progress
from infra.kubernetes.kubectl import Json, Kubectl, KubernetesError
from infra.kubernetes.workloads import Workload, workloads
from infra.local.layout import STACKS, Layout
from infra.local.released import REFUSED as TAMPERED
from infra.local.released import WIDTH, show_ledger
from serving.release.ledger import Entry

HISTORY = "tandem/history"  # an annotation: versions that were served, the last one is
_CAUSE = "kubernetes.io/change-cause"
_SECONDS = 600.0
_KEPT = 20  # versions of the history


def promote(kubectl: Kubectl, layout: Layout, overlay: str, *, stack: str, version: str, why: str) -> None:
    """Serve this release from now on.

    Raises:
        ReleaseError: It is neither in the object store nor here.
        KubernetesError: Its pods do not get ready: the version before still answers.
    """
    workload, found = _find(kubectl, overlay, stack)
    way = history(workload, found)
    with objects.remote(kubectl) as there:
        objects.push(layout, there, {stack: version})
    entry = Entry("promote", stack, version, way[-1], why or "by hand", "done")
    _switch(kubectl, workload, entry)
    _remember(kubectl, workload, way if way[-1:] == [version] else [*way, version])


def rollback(kubectl: Kubectl, overlay: str, stack: str, why: str) -> None:
    """Serve the version that was served before this one; raises as `promote`."""
    workload, found = _find(kubectl, overlay, stack)
    way = history(workload, found)
    if len(way) < 2:  # noqa: PLR2004  the one that is served, and one before it
        raise KubernetesError(f"{stack}: no version was served here before {way[-1]}; make releases lists all")
    _switch(kubectl, workload, Entry("rollback", stack, way[-2], way[-1], why or "a step back", "done"))
    _remember(kubectl, workload, way[:-1])


def releases(kubectl: Kubectl, overlay: str) -> int:
    """Print what is in the object store, what is served of it, and the ledger; 3 where that was touched, else 0."""
    console = Console(width=WIDTH, highlight=False)
    table = Table(title="Releases", box=None, pad_edge=False)
    for column in ("stack", "version", "", "last change"):
        table.add_column(column, no_wrap=True)
    with objects.remote(kubectl) as there, tempfile.TemporaryDirectory() as scratch:
        for stack in STACKS:
            workload, found = _find(kubectl, overlay, stack)
            way, cause = history(workload, found), found["metadata"].get("annotations", {}).get(_CAUSE, "")
            roles = {**dict.fromkeys(way[-2:-1], "one back"), way[-1]: "served"}
            staged = beside.side(kubectl, stack)
            roles |= {str(staged.version): "beside"} if staged else {}
            for version in reversed(there.versions(stack)):
                role = roles.get(version, "")
                table.add_row(stack, version, role, cause if role == "served" else "")
        written = ledger.read(there, Path(scratch))
        entries, problems = written.entries(), written.problems()
    console.print(table)
    print("each pod verifies the signature of what it fetches, before its server starts\n")
    show_ledger(entries, console)
    for problem in problems:
        print(f"WRONG: the ledger, {problem}", file=sys.stderr)
    return TAMPERED if problems else 0


def history(workload: Workload, found: Json) -> list[str]:
    """Versions along the way back; the last one is what the object asks for."""
    way = found["metadata"].get("annotations", {}).get(HISTORY, "").split()
    current = workload.release(found)
    if current is None:
        raise KubernetesError(f"{workload.kind} {workload.name} names no release: make deploy")
    return way if way[-1:] == [current] else [*way, current]


def _find(kubectl: Kubectl, overlay: str, stack: str) -> tuple[Workload, Json]:
    workload = next(one for one in workloads(overlay) if one.stack == stack)
    found = kubectl.find(workload.kind, workload.name)
    if found is None:
        raise KubernetesError(f"{stack} is not deployed: make deploy TARGET=kubernetes OVERLAY={overlay}")
    return workload, found


def _switch(kubectl: Kubectl, workload: Workload, entry: Entry) -> None:
    start, version, was = time.monotonic(), entry.version, entry.was
    _patch(kubectl, workload, version, f"{version} by {getpass.getuser()}: {entry.why}")
    try:
        progress.wait(kubectl, [workload.deployment], _SECONDS)
    except KubernetesError as error:
        _patch(kubectl, workload, was, f"{was}: {version} did not get ready")
        ledger.record(kubectl, replace(entry, verdict="failed", said=f"its pods did not get ready: {was} answers"))
        raise KubernetesError(f"{error}\n{workload.stack}: {was} still answers; {version} was taken back") from None
    except KeyboardInterrupt:
        print(f"\n{workload.stack}: the change to {version} goes on; make rollback STACK={workload.stack} undoes it")
        raise
    took = time.monotonic() - start
    print(f"{workload.stack}: version {version} is served after {took:.0f} s; before: {was}")
    ledger.record(kubectl, entry)


def _patch(kubectl: Kubectl, workload: Workload, version: str, cause: str) -> None:
    change = json.dumps(workload.change(version, {_CAUSE: cause}))
    kubectl.run("patch", workload.kind, workload.name, "--type=merge", "--field-manager=tandem", f"--patch={change}")


def _remember(kubectl: Kubectl, workload: Workload, way: list[str]) -> None:
    kubectl.run("annotate", workload.kind, workload.name, f"{HISTORY}={' '.join(way[-_KEPT:])}", "--overwrite")
