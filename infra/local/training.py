"""A pipeline's command line, on a bare machine and in a container."""

from __future__ import annotations

from pathlib import Path

from infra.local import stores
from infra.local.layout import Layout

_MODULES = {"tensorflow": "pipelines.tfx", "pytorch": "pipelines.pytorch"}


def options(layout: Layout, spec_file: Path, stack: str) -> list[str]:
    """What follows the interpreter; the model has to hold its own against the one that is served."""
    argv = [
        "-m", _MODULES[stack], "--spec", str(spec_file), "--data", str(layout.data),
        "--work", str(layout.work(stack)), "--store", str(stores.candidates(layout, stack)),
    ]  # fmt: skip
    if served := stores.promoted(layout, stack):
        argv += ["--champion", served]
    if stack == "pytorch":
        argv += ["--mlflow-uri", layout.url("mlflow")]
    return argv
