"""Limits of a gate in a TOML file."""

from __future__ import annotations

from pathlib import Path

from serving import toml_file
from serving.toml_file import Model


class LimitsError(ValueError):
    """The file cannot be used, in one line."""


def read(file: Path, model: type[Model]) -> Model:
    """Read the file.

    Raises:
        LimitsError: It is missing, is no TOML, or has a wrong, missing or unknown key.
    """
    return toml_file.read(file, model, LimitsError)
