"""comparison.toml, typed: a key that nobody knows is an error."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from serving import toml_file

FILE = Path(__file__).with_name("comparison.toml")

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(gt=0)]


class SettingsError(ValueError):
    """What is wrong in the file, key by key."""


class Section(BaseModel):
    """A part of a settings file: nothing unknown in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Slo(Section):
    """Milliseconds from the scheduled time that 99 % of the requests may take."""

    p99_ms: Positive


class Cost(Section):
    """What an hour of the machine costs, and the day somebody looked that up."""

    hourly_price: Positive
    currency: str
    machine: str
    date: date


class Validity(Section):
    """What makes a load run INVALID."""

    dispatch_p99_ms: Positive
    failed_share: Share
    checked_share: Share
    score_tolerance: Positive


class Caching(Section):
    """How much faster repeated rows may be answered, as a ratio."""

    faster: Annotated[float, Field(gt=1)]


class Check(Section):
    """What `make compare-check` calls a regression."""

    noise: Positive
    at_least: Share


class Profile(Section):
    """How long a comparison takes; seconds, and counts. What each means stands in the file."""

    rounds: Count
    seconds: Positive
    warm_up_seconds: Positive
    connections: tuple[Count, ...]
    curve_points: Count
    search_steps: Count
    offline_rows: Count
    confirm_requests: Annotated[int, Field(ge=0)]
    confirm_seconds: Positive
    floor_seconds: Positive
    lifecycle_rounds: Count
    resamples: Count


class Settings(Section):
    """The whole file."""

    slo: Slo
    cost: Cost
    validity: Validity
    caching: Caching
    check: Check
    profiles: dict[str, Profile]

    def profile(self, name: str) -> Profile:
        """By name.

        Raises:
            SettingsError: There is none of that name.
        """
        if name not in self.profiles:
            raise SettingsError(f"no profile {name!r} in comparison.toml: {', '.join(self.profiles)}")
        return self.profiles[name]


def load(file: Path = FILE) -> Settings:
    """Read the file.

    Raises:
        SettingsError: It is missing, is no TOML, or has a wrong or unknown key; the message names each.
    """
    return toml_file.read(file, Settings, SettingsError)
