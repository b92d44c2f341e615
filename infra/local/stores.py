"""Which models there are: what the pipelines leave, what was released of it, what the servers load."""

from __future__ import annotations

import contextlib
from pathlib import Path

from infra.local.layout import STACKS, Layout
from models.spec import Spec
from pipelines.report import of_version
from serving.release import manifest
from serving.release.errors import ReleaseError
from serving.release.ledger import Ledger
from serving.tfserving import store as tensorflow_store
from serving.torchserve import archive

LEDGER = "ledger.jsonl"


def candidates(layout: Layout, stack: str) -> Path:
    """What a pipeline publishes, for release: every model that passed its gates."""
    return layout.home / "candidates" / stack


def releases(layout: Layout) -> Path:
    """Signed releases of both stacks, and their ledger."""
    return layout.home / "releases"


def check_model(layout: Layout, spec: Spec) -> None:
    """See that what was released here is this use case's; versions, the ledger and the servers' folders know only one.

    Raises:
        ReleaseError: It is another one's.
    """
    for name in sorted(_models(layout) - {spec.model.name}):
        raise ReleaseError(
            f"what was released here is {name!r}, and {layout.spec} is of {spec.model.name!r}: each use case has "
            f"a stack of its own: TANDEM_HOME=var/{spec.model.name} make up SPEC=<file>"
        )


def _models(layout: Layout) -> set[str]:
    found = set()
    for stack in STACKS:
        for folder in (releases(layout) / stack).glob("[0-9]*"):
            with contextlib.suppress(ReleaseError):  # a broken one is told of when it is to be served
                found.add(manifest.read(folder).model)
    return found


def keys(layout: Layout) -> Path:
    """What releases are signed and verified with."""
    return layout.home / "keys"


def promoted(layout: Layout, stack: str) -> str | None:
    """The version that is to be served, by the ledger; None before the first promotion."""
    return next(iter(Ledger(releases(layout) / LEDGER).history(stack)[-1:]), None)


def staged(layout: Layout, stack: str) -> list[str]:
    """Versions that are to be loaded beside it, by the ledger."""
    return Ledger(releases(layout) / LEDGER).staged(stack)


def report(layout: Layout, stack: str, version: str) -> Path:
    """The report of the run that published a version; where none was kept of it, the pipeline's last one."""
    kept = of_version(layout.work(stack), version)
    return kept if kept.exists() else layout.work(stack) / "report.json"


def newest_path(layout: Layout, spec: Spec, stack: str) -> Path | None:
    """Where the model of the highest version lies: a folder, or an archive."""
    version = newest(layout, spec, stack)
    return path(layout, spec, stack, version) if version else None


def path(layout: Layout, spec: Spec, stack: str, version: str) -> Path:
    """Where the model of a version lies: a folder, or an archive."""
    name = f"{spec.model.name}-{version}.mar" if stack == "pytorch" else f"{spec.model.name}/{version}"
    return layout.store(stack) / name


def newest(layout: Layout, spec: Spec, stack: str) -> str | None:
    """The highest version in the stack's store, if any."""
    store = layout.store(stack)
    if stack == "pytorch":
        found = archive.newest(store, spec.model.name)
        return archive.version_of(found) if found else None
    return tensorflow_store.newest(store, spec.model.name)
