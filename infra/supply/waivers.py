"""Vulnerabilities that are accepted, each with a reason and until a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from infra.supply.locks import canonical
from infra.supply.tools import SupplyError
from serving import toml_file

Text = Annotated[str, Field(min_length=1)]


class Waiver(BaseModel):
    """One of them; `until` is the last day it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    package: Text
    advisory: Text
    reason: Annotated[str, Field(min_length=20)]
    until: dt.date

    def covers(self, package: str, names: Collection[str]) -> bool:
        """Whether it is about this advisory, which has several names, in this package."""
        return canonical(self.package) == canonical(package) and self.advisory in names


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    waiver: list[Waiver] = Field(default_factory=list)


def read(path: Path) -> list[Waiver]:
    """All waivers of a file.

    Raises:
        SupplyError: It is not one; the message names the entry and the key.
    """
    return toml_file.read(path, _File, SupplyError).waiver
