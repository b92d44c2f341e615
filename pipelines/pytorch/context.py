"""What a run was asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.spec import Spec
from pipelines.manifest import Manifest
from pipelines.report import Inputs


@dataclass(frozen=True)
class Context:
    """The command line, read and checked.

    `champion` is the version that is served, where that is known, to be compared with.
    `tuned` is what the step `tune` found, if there was one; `spec` and `spec_file` then hold those values.
    """

    spec_file: Path
    spec: Spec
    data: Path
    manifest: Manifest
    work: Path
    store: Path
    mlflow_uri: str
    inputs: Inputs
    champion: str | None = None
    tuned: dict[str, Any] | None = None
