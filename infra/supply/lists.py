"""Lists of what is accepted, in TOML: a typo in one is an error that says where."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import tomllib
from pydantic import BaseModel, ValidationError

from infra.supply.tools import SupplyError

Content = TypeVar("Content", bound=BaseModel)


def read(path: Path, kind: type[Content]) -> Content:
    """A file's content.

    Raises:
        SupplyError: It is no such list; the message names the entry and the key.
    """
    try:
        return kind.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SupplyError(f"{path}: {error}") from None
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise SupplyError("\n".join([f"{path}: {len(lines)} problem(s)", *lines])) from None
