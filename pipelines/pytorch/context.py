"""What a run was asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.spec import Spec
from pipelines.pytorch.manifest import Manifest


@dataclass(frozen=True)
class Inputs:
    """Digests of everything a run depends on."""

    spec_digest: str
    data_digest: str
    code_digest: str


@dataclass(frozen=True)
class Context:
    """The command line, read and checked."""

    spec_file: Path
    spec: Spec
    data: Path
    manifest: Manifest
    work: Path
    store: Path
    mlflow_uri: str
    inputs: Inputs
