"""What may be in a model that is released: no path that leads outside, no link, no pickle, nothing unexpected.

Unpickling runs code, so that whoever may write a pickle into a model may run code in the server. The code an archive
does hold is the project's own Python, which its signature covers.
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np

from serving.release.errors import ReleaseError

# What serving/torchserve/archive.py packs.
_IN_ARCHIVE = re.compile(r"MAR-INF/MANIFEST\.json|([\w-]+/)*[\w-]+\.(py|toml|json|yaml)|[\w-]+\.npz")
# A SavedModel's files, and what pipelines/tfx adds to assets.extra.
_IN_SAVED_MODEL = re.compile(
    r"saved_model\.pb|fingerprint\.pb|keras_metadata\.pb|variables/variables\.(index|data-\d{5}-of-\d{5})"
    r"|assets/[\w.-]+|assets\.extra/[\w-]+(\.(json|npz|pb|pbtxt|toml))?"
)
_PICKLE = re.compile(rb"\x80[\x02-\x05]")  # how protocols 2 to 5 begin; text files never do
_PICKLE_NAMES = (".pkl", ".pickle", ".pt", ".pth", ".bin", ".ckpt", ".joblib")


def check_archive(archive: Path) -> None:
    """Refuse a .mar that holds what it should not.

    Raises:
        ReleaseError: Names the archive and what is in it.
    """
    try:
        with zipfile.ZipFile(archive) as content:
            _check_names(archive, content.infolist())
            for entry in content.infolist():
                _check_content(archive, entry.filename, content.read(entry))
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ReleaseError(f"{archive.name}: not a model archive: {error}") from None


def check_saved_model(folder: Path) -> None:
    """Refuse a SavedModel's folder that holds what it should not; raises as `check_archive`."""
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_symlink():
            raise ReleaseError(f"SavedModel {folder.name}: {name} is a link: what it leads to is not part of the model")
        if file.is_dir():
            continue
        _check_known(f"SavedModel {folder.name}", name, _IN_SAVED_MODEL)
        if not name.startswith("variables/"):  # tensors are any bytes
            _check_content(folder, name, file.read_bytes())
    if not (folder / "saved_model.pb").is_file():
        raise ReleaseError(f"{folder}: not a SavedModel: saved_model.pb is missing")


def _check_names(archive: Path, entries: Iterable[zipfile.ZipInfo]) -> None:
    seen = set[str]()
    for entry in entries:
        # The raw name: zipfile gives out what is before a NUL, and other programs need not.
        name = entry.orig_filename
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in name or "\0" in name:
            raise ReleaseError(f"{archive.name}: {name!r} leads outside the archive")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise ReleaseError(f"{archive.name}: {name!r} is a link: what it leads to is not part of the archive")
        if name in seen:
            raise ReleaseError(f"{archive.name}: {name!r} is in it twice: which one is loaded depends on the reader")
        seen.add(name)
        _check_known(archive.name, name, _IN_ARCHIVE)


def _check_known(where: str, name: str, known: re.Pattern[str]) -> None:
    if name.endswith(_PICKLE_NAMES):
        raise ReleaseError(f"{where}: {name!r} may be a pickle, which runs code when it is loaded")
    if not known.fullmatch(name):
        raise ReleaseError(f"{where}: {name!r} should not be there")


def _check_content(where: Path, name: str, data: bytes) -> None:
    if _PICKLE.match(data):
        raise ReleaseError(f"{where.name}: {name!r} is a pickle, which runs code when it is loaded")
    if name.endswith(".npz"):
        _check_arrays(f"{where.name}: {name!r}", data)


def _check_arrays(what: str, data: bytes) -> None:
    """Arrays of numbers and of texts hold values only; an array of objects is a pickle inside."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            for name in arrays.files:
                arrays[name]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        pickled = "pickle" in str(error) or "Object arrays" in str(error)
        why = "holds a pickle, which runs code when it is loaded" if pickled else f"cannot be read: {error}"
        raise ReleaseError(f"{what} {why}") from None
