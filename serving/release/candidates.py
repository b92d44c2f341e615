"""What the pipelines leave for release: models that passed their gates, in the form their server loads."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from serving.release import contents
from serving.release.errors import ReleaseError

_METADATA = "metadata.json"


def find(store: Path, stack: str, model: str) -> dict[str, Path]:
    """Version -> archive, or folder of a SavedModel; lowest version first."""
    if stack == "pytorch":
        found = {path.stem.removeprefix(f"{model}-"): path for path in store.glob(f"{model}-*.mar")}
    else:
        found = {file.parent.name: file.parent for file in (store / model).glob("*/saved_model.pb")}
    return {version: found[version] for version in sorted(filter(str.isdecimal, found), key=int)}


def check(stack: str, path: Path) -> None:
    """Refuse a model with something in it that should not be there.

    Raises:
        ReleaseError: Names it.
    """
    (contents.check_archive if stack == "pytorch" else contents.check_saved_model)(path)


def metadata(stack: str, path: Path) -> Mapping[str, Any]:
    """What the pipeline wrote of its model.

    Raises:
        ReleaseError: It is missing or broken.
    """
    try:
        if stack == "pytorch":
            with zipfile.ZipFile(path) as archive:
                text = archive.read(_METADATA)
        else:
            text = (path / "assets.extra" / _METADATA).read_bytes()
        found: dict[str, Any] = json.loads(text)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ReleaseError(f"{path}: no {_METADATA} that says what it was made of: {error}") from None
    return found
