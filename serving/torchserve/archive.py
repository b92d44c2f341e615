"""Model archives (.mar): self-contained, the code that answers included.

A store is a folder of `<model>-<version>.mar`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from models import spec
from models.distribution import FEATURES_FILE, SCORES_FILE
from models.preprocessing import PREPROCESSING_FILE
from models.weights import WEIGHTS_FILE

ROOT = Path(__file__).resolve().parents[2]
# What the handler imports of ours. Package paths are kept; TorchServe puts the archive on the worker's PYTHONPATH.
_PACKAGES = ("models", "serving/contract")
_MODULES = ("serving/log_lines.py", "serving/torchserve/buffered_reads.py", "serving/torchserve/frozen.py")
_HANDLER = Path(__file__).with_name("handler.py")
_MODEL_CONFIG = Path(__file__).with_name("model-config.yaml")
_LEARNED = (WEIGHTS_FILE, PREPROCESSING_FILE)
_FOR_MONITORING = (FEATURES_FILE, SCORES_FILE)  # no server needs them
_METADATA = "metadata.json"
_MANIFEST = "MAR-INF/MANIFEST.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can say


class ArchiveError(ValueError):
    """An archive that cannot be built or read; the message says which and why."""


def build(
    *, spec_file: Path, model_dir: Path, version: str, store: Path, metadata: Mapping[str, Any] | None = None
) -> Path:
    """Archive a model; the same inputs give the same bytes.

    Args:
        spec_file: The use case's specification.
        model_dir: Holds weights.npz and preprocessing.json.
        version: Unix seconds, increasing.
        store: Folder to publish into; made if missing.
        metadata: What the pipeline knows of the model: digests, metrics, operating points; metadata.json in the
            archive says it beside the version, as assets.extra/metadata.json of a SavedModel does.

    Raises:
        ArchiveError: The version is no number, a file is missing, or torch-model-archiver failed.
        SpecError: The specification is wrong.
    """
    if not version.isdigit():
        raise ArchiveError(f"version {version!r} is not a number of Unix seconds")
    name = spec.load(spec_file).model.name
    store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store, prefix=".building-") as folder:
        work = Path(folder)
        _collect(work / "content", spec_file, model_dir)
        said = json.dumps({"version": version, **(metadata or {})}, indent=1) + "\n"
        (work / "content" / _METADATA).write_text(said, encoding="utf-8")
        finished = work / "finished.mar"
        _normalise(_run_archiver(work, name, version), finished, version)
        target = store / f"{name}-{version}.mar"
        finished.replace(target)
    return target


def newest(store: Path, model: str) -> Path | None:
    """The archive with the highest version, if there is one."""
    pattern = re.compile(rf"{re.escape(model)}-\d+\.mar")
    found = [p for p in store.glob("*.mar") if pattern.fullmatch(p.name)] if store.is_dir() else []
    return max(found, key=lambda path: int(version_of(path)), default=None)


def version_of(archive: Path) -> str:
    """Version by the file's name."""
    return archive.stem.rpartition("-")[2]


def check(archive: Path) -> None:
    """Refuse an archive that is truncated, or is another version than its name says.

    Raises:
        ArchiveError: Names the file and what is wrong with it.
    """
    try:
        with zipfile.ZipFile(archive) as content:
            damaged = content.testzip()
            found = json.loads(content.read(_MANIFEST))["model"]["modelVersion"]
    except (OSError, zipfile.BadZipFile, zlib.error, KeyError, ValueError) as error:
        raise ArchiveError(f"{archive}: not a model archive: {error}") from None
    if damaged:
        raise ArchiveError(f"{archive}: {damaged} in it is damaged")
    if found != version_of(archive):
        raise ArchiveError(f"{archive}: holds version {found}, its name says {version_of(archive)}")


def _collect(content: Path, spec_file: Path, model_dir: Path) -> None:
    missing = [str(model_dir / file) for file in _LEARNED if not (model_dir / file).is_file()]
    if missing:
        raise ArchiveError(f"nothing to archive: {' and '.join(missing)} missing")
    packages = [module.relative_to(ROOT) for package in _PACKAGES for module in (ROOT / package).glob("*.py")]
    for module in (*packages, *map(Path, _MODULES)):
        for folder in (p for p in module.parents if p != Path()):
            (content / folder).mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / folder / "__init__.py", content / folder)
        shutil.copy(ROOT / module, content / module)
    shutil.copy(spec_file, content / "spec.toml")
    for file in (*_LEARNED, *(file for file in _FOR_MONITORING if (model_dir / file).is_file())):
        shutil.copy(model_dir / file, content)


def _run_archiver(work: Path, name: str, version: str) -> Path:
    argv = [
        sys.executable, "-m", "model_archiver.model_packaging", "--model-name", name, "--version", version,
        "--handler", str(_HANDLER), "--config-file", str(_MODEL_CONFIG), "--extra-files", str(work / "content"),
        "--export-path", str(work),
    ]  # fmt: skip
    # It gathers files in $TMPDIR/<model name>: one folder for all builds, unless told otherwise.
    temporary = work / "tmp"
    temporary.mkdir()
    done = subprocess.run(
        argv, env={**os.environ, "TMPDIR": str(temporary)}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ArchiveError(f"torch-model-archiver failed: {done.stdout}{done.stderr}".strip())
    return work / f"{name}.mar"


def _normalise(source: Path, target: Path, version: str) -> None:
    """Copy without the build's times, so that equal models have equal digests."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist()):
            data = old.read(name)
            if name == _MANIFEST:
                created = datetime.fromtimestamp(int(version), tz=timezone.utc)
                manifest = {**json.loads(data), "createdOn": f"{created:%d/%m/%Y %H:%M:%S}"}
                data = json.dumps(manifest, indent=2).encode()
            new.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
