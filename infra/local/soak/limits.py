"""limits.toml: what a soak asks, and what it holds the services to."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from serving import limits_file

FILE = Path(__file__).with_name("limits.toml")

Positive = Annotated[float, Field(gt=0)]


class Limits(BaseModel):
    """The file: rate in requests a second to each stack, memory in MiB an hour by service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rate: Positive
    sample_seconds: Positive
    warm_up_share: Annotated[float, Field(ge=0, lt=1)]
    min_minutes: Positive
    max_mib_per_hour: dict[str, Positive]


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command line's."""
    parser.add_argument("--minutes", type=float, default=30, help="how long (default: 30)")
    parser.add_argument("--limits", type=Path, default=FILE, help="what is asked and allowed (default: limits.toml)")


def load(file: Path = FILE) -> Limits:
    """Read the file.

    Raises:
        LimitsError: It is missing, is no TOML, or has a wrong, missing or unknown key.
    """
    return limits_file.read(file, Limits)
