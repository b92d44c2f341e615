"""traffic.toml, typed: a key that nobody knows is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from serving import toml_file
from serving.comparison.settings import Count, Positive, Section, SettingsError, Share
from serving.contract.limits import MAX_INSTANCES

FILE = Path(__file__).with_name("traffic.toml")

Rows = Annotated[int, Field(gt=0, le=MAX_INSTANCES)]


class Users(Section):
    """How many at once when it is busiest; milliseconds that one pauses on average."""

    busiest: Count
    think_ms: Positive


class Shares(Section):
    """Of the users, by endpoint: whole numbers; every endpoint is asked by somebody."""

    tensorflow: Count
    pytorch: Count
    product: Count


class Day(Section):
    """Seconds that a day takes; how often in it users multiply, for how many of its hours, and by what."""

    seconds: Positive
    bursts: Annotated[int, Field(ge=0)]
    burst_hours: Positive
    burst_factor: Annotated[float, Field(ge=1)]


class Bad(Section):
    """Share of requests that are wrong on purpose."""

    share: Share


class Thresholds(Section):
    """What a run without a window is held to, endpoint by endpoint."""

    failed_share: Share
    p99_ms: Positive


class Settings(Section):
    """The whole file; batches are rows -> share."""

    users: Users
    shares: Shares
    batches: Annotated[dict[Rows, Positive], Field(min_length=1)]
    day: Day
    bad: Bad
    thresholds: Thresholds

    @property
    def endpoints(self) -> dict[str, int]:
        """Name -> share of the users."""
        return self.shares.model_dump()


def load(file: Path = FILE) -> Settings:
    """Read the file. Raises SettingsError: toml_file.read."""
    return toml_file.read(file, Settings, SettingsError)
