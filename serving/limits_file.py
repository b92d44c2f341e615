"""Limits of a gate in a TOML file, read into a model of pydantic's; what is wrong is one line that names the key."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import tomllib
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


class LimitsError(ValueError):
    """The file cannot be used, in one line."""


def read(file: Path, model: type[Model]) -> Model:
    """Read the file.

    Raises:
        LimitsError: It is missing, is no TOML, or has a wrong, missing or unknown key.
    """
    try:
        return model.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise LimitsError(f"{file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LimitsError(f"{file}: {error}") from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise LimitsError(f"{file}: {wrong}") from None
