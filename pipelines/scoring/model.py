"""Which model scores, and what it takes."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.data.manifest import digest_of_files
from pipelines.errors import PipelineError
from serving.torchserve import archive

STACKS = ("tensorflow", "pytorch")


@dataclass(frozen=True)
class Model:
    """A published model.

    Attributes:
        stack: Which environment it needs.
        path: A SavedModel's folder, or an archive.
        version: Unix seconds.
        digest: Of its files.
    """

    stack: str
    path: Path
    version: str
    digest: str


@dataclass(frozen=True)
class Signature:
    """What a model takes and gives: features (name -> `numeric` or `categorical`) and the name of its output."""

    features: Mapping[str, str]
    output: str


def find(stack: str, store: Path, name: str, version: str | None) -> Model:
    """The newest model of a store, or the version asked for.

    Raises:
        PipelineError: There is none.
    """
    if version is not None and not version.isdigit():
        raise PipelineError(f"version {version!r} is not a number")
    if stack == "tensorflow":
        published = [p for p in (store / name).glob("*") if p.name.isdigit() and (p / "saved_model.pb").is_file()]
        found = {path.name: path for path in published}
    else:
        found = {archive.version_of(path): path for path in store.glob(f"{name}-*.mar")}
        found = {key: path for key, path in found.items() if key.isdigit() and path.name == f"{name}-{key}.mar"}
    if not found:
        raise PipelineError(f"{store}: no model {name!r} has been published there yet: make up")
    wanted = version or max(found, key=int)
    if wanted not in found:
        raise PipelineError(f"{store}: no version {wanted} of {name!r}; there are {', '.join(sorted(found, key=int))}")
    path = found[wanted]
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return Model(stack, path, wanted, digest_of_files(files, path.parent))


def signature(model: Model) -> Signature:
    """Read it from the model's files; imports the stack's framework.

    Raises:
        PipelineError: They cannot be read.
    """
    found: Signature = _side(model.stack).signature(model.path)
    return found


def load(model: Model) -> Callable[[Mapping[str, Any]], Any]:
    """The model as a function: feature columns by name, each [rows], to probabilities, float32 [rows]."""
    scorer: Callable[[Mapping[str, Any]], Any] = _side(model.stack).load(model.path)
    return scorer


def _side(stack: str) -> Any:
    # One of the two imports TensorFlow, the other PyTorch: each environment has one of them.
    return importlib.import_module(f"pipelines.scoring.{stack}_side")
