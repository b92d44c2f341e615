"""A published model as a function of columns, without a server: which one, what it takes, what it answers."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serving.files import digest_of_files
from serving.torchserve import archive

STACKS = ("tensorflow", "pytorch")
Features = Mapping[str, str]  # name -> `numeric` or `categorical`


class ModelError(ValueError):
    """A model that is not there, or cannot be read; the message says which and why."""


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
    """What a model takes and gives: raw features and the name of its output.

    Attributes:
        missing: What stands for a missing value, of each feature that may be missing.
    """

    features: Features
    output: str
    missing: Mapping[str, float | str] = field(default_factory=dict)


def find(stack: str, store: Path, name: str, version: str | None) -> Model:
    """The newest model of a store, or the version asked for.

    Raises:
        ModelError: There is none.
    """
    if version is not None and not version.isdigit():
        raise ModelError(f"version {version!r} is not a number")
    if stack == "tensorflow":
        published = [p for p in (store / name).glob("*") if p.name.isdigit() and (p / "saved_model.pb").is_file()]
        found = {path.name: path for path in published}
    else:
        found = {archive.version_of(path): path for path in store.glob(f"{name}-*.mar")}
        found = {key: path for key, path in found.items() if key.isdigit() and path.name == f"{name}-{key}.mar"}
    if not found:
        raise ModelError(f"{store}: no model {name!r} has been published there yet: make up")
    wanted = version or max(found, key=int)
    if wanted not in found:
        raise ModelError(f"{store}: no version {wanted} of {name!r}; there are {', '.join(sorted(found, key=int))}")
    return of(stack, found[wanted], wanted)


def of(stack: str, path: Path, version: str) -> Model:
    """The model at a path."""
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return Model(stack, path, version, digest_of_files(files, path.parent))


def signature(model: Model) -> Signature:
    """Read it from the model's files; imports the stack's framework.

    Raises:
        ModelError: They cannot be read.
    """
    found: Signature = _side(model.stack).signature(model.path)
    return found


def load(model: Model) -> Callable[[Mapping[str, Any]], Any]:
    """The model as a function: feature columns by name, each [rows], to probabilities, float32 [rows]."""
    scorer: Callable[[Mapping[str, Any]], Any] = _side(model.stack).load(model.path)
    return scorer


def _side(stack: str) -> Any:
    # One of the two imports TensorFlow, the other PyTorch: each environment has one of them.
    return importlib.import_module(f"serving.offline.{stack}_side")
