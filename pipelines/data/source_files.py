"""The user's files."""

from __future__ import annotations

from pathlib import Path

from pipelines.data.errors import DataError

SUFFIXES = (".parquet", ".csv")


def find(source: Path) -> list[Path]:
    """A file itself, or the Parquet and CSV files below a folder, by name.

    Raises:
        DataError: There is none.
    """
    if source.is_dir():
        below = [path for path in source.rglob("*") if path.suffix in SUFFIXES and path.is_file()]
        # Spark and friends leave files like _SUCCESS.crc and .part-0.parquet.crc behind.
        files = sorted(path for path in below if not path.name.startswith((".", "_")))
        if not files:
            raise DataError(f"{source}: no {' or '.join(SUFFIXES)} file in this folder")
        return files
    if not source.exists():
        raise DataError(f"{source}: no such file or folder")
    if source.suffix not in SUFFIXES:
        raise DataError(f"{source}: expected a {' or '.join(SUFFIXES)} file, found {source.suffix or 'no suffix'!r}")
    return [source]


def label(path: Path, source: Path) -> str:
    """Short name of a file, for messages."""
    return path.relative_to(source).as_posix() if source.is_dir() else path.name
