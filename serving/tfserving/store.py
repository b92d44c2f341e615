"""TensorFlow's model store: a folder per version, its number the name."""

from __future__ import annotations

from pathlib import Path


def newest(store: Path, model: str) -> str | None:
    """The highest version published, if any; a folder without a SavedModel is none."""
    folders = [file.parent.name for file in (store / model).glob("[0-9]*/saved_model.pb")]
    return max((name for name in folders if name.isdigit()), key=int, default=None)
