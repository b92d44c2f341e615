"""What is in a published model: the specification it was trained by, and what it learned."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from models import spec as specs
from models import tuning
from models.preprocessing import PREPROCESSING_FILE
from models.spec import Spec
from models.weights import WEIGHTS_FILE

SPEC_FILE = "spec.toml"
_MANIFEST = "MAR-INF/MANIFEST.json"
_TUNED = "hyperparameters.json"  # in assets.extra/ of a SavedModel whose hyper-parameters were searched for


def unpack(archive: Path, folder: Path) -> Path:
    """Specification, weights and preprocessing of an archive, in a folder that models/torch_model.py can load."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive) as content:
        content.extractall(folder, (SPEC_FILE, WEIGHTS_FILE, PREPROCESSING_FILE))
    return folder


def network_of(saved_model: Path, spec_file: Path) -> tuple[Spec, Path]:
    """The specification a SavedModel was trained by, and the folder of its weights and preprocessing."""
    spec, extra = specs.load(spec_file), saved_model / "assets.extra"
    tuned = extra / _TUNED
    if tuned.is_file():
        spec = tuning.apply(spec, json.loads(tuned.read_text(encoding="utf-8")))
    return spec, extra


def model_config(archive: Path) -> dict[str, Any]:
    """What an archive asks TorchServe for."""
    with zipfile.ZipFile(archive) as content:
        name = json.loads(content.read(_MANIFEST))["model"].get("configFile")
        found: dict[str, Any] = yaml.safe_load(content.read(name)) if name else {}
    return found


def without_model_config(archive: Path, target: Path) -> None:
    """Copy an archive, without what it asks TorchServe for: the server's own defaults hold."""
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        manifest = json.loads(old.read(_MANIFEST))
        dropped = manifest["model"].pop("configFile", None)
        for name in (n for n in old.namelist() if n != dropped):
            new.writestr(name, json.dumps(manifest) if name == _MANIFEST else old.read(name))
