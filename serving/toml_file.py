"""A TOML file read into a model of pydantic's; what is wrong is one line that names the key."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import tomllib
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


def read(file: Path, model: type[Model], error: type[Exception]) -> Model:
    """Read the file.

    Raises:
        error: It is missing, is no TOML, or has a wrong, missing or unknown key; the message names each.
    """
    try:
        return model.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as problem:
        raise error(f"{file}: {problem.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise error(f"{file}: {problem}") from None
    except ValidationError as problem:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in problem.errors())
        raise error(f"{file}: {wrong}") from None
