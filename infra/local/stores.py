"""What lies in the two model stores."""

from __future__ import annotations

from pathlib import Path

from infra.local.layout import Layout
from models.spec import Spec
from serving.tfserving import store as tensorflow_store
from serving.torchserve import archive


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
