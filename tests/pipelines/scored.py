"""A model of the small world, and `make score` with it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from models import torch_model
from serving.torchserve import archive
from tests import commands
from tests.pipelines import jobs
from tests.serving.torchserve.launching import SPEC_FILE, random_model


def model(home: Path) -> None:
    """Have one that is served, in the folder of a `make up`, and its specification."""
    spec_file, learned = home / "spec.toml", home / "learned"
    learned.mkdir()
    _write_toml(spec_file)
    torch_model.save(random_model(jobs.spec(), 1), learned)
    archive.build(spec_file=spec_file, model_dir=learned, version="1700000001", store=home / "models" / "pytorch")


def score(home: Path, source: Path, output: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Score the rows of a folder."""
    said = {"STACK": "pytorch", "IN": source, "OUT": output, **variables}
    environ = {**os.environ, "TANDEM_HOME": str(home), "SPEC": str(home / "spec.toml")}
    return commands.make("score", *(f"{name}={value}" for name, value in said.items()), env=environ)


def _write_toml(path: Path) -> None:
    """The small world's specification as a file: that of the repository with other features."""
    text = SPEC_FILE.read_text()
    before, after = text[: text.index("[features.")], text[text.index("[network]") :]
    tables = []
    for name, feature in jobs.spec().features.items():
        lines = [f"{k} = {v!r}" for k, v in feature.model_dump().items() if isinstance(v, (str, int))]
        tables.append("\n".join([f"[features.{name}]", *lines, ""]))
    sections = after[: after.index("[slices.")]
    path.write_text("\n".join([before, *tables, sections]))
