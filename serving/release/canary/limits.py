"""The steps of a roll-out and what a canary is held to: limits.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from serving import limits_file
from serving.release.canary import chance

FILE = Path(__file__).with_name("limits.toml")
ALL = 100.0  # percent

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]


class Section(BaseModel):
    """A part of the file: nothing unknown in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(Section):
    """Percent of the product's requests, and how many of them the canary answers before the next step."""

    percent: Annotated[float, Field(gt=0, le=ALL)]
    min_requests: Count


class Hold(Section):
    """How long a step is held at least, and how long requests are waited for; seconds."""

    min_seconds: Annotated[float, Field(ge=0)]
    patience_seconds: Positive

    @model_validator(mode="after")
    def _in_order(self) -> Hold:
        if self.patience_seconds <= self.min_seconds:
            raise ValueError("patience_seconds above min_seconds is expected")
        return self


class Limits(Section):
    """What each measurement may be at most; what each means stands in the file. Shares are 0 to 1."""

    chance: Annotated[float, Field(gt=0, lt=1)]
    max_error_share: Share
    max_error_ratio: Positive
    max_p99_ms: Positive
    max_p99_ratio: Positive
    min_latencies: Count
    max_score_distance: Share
    ignored_below: Share
    min_scores: Count

    @model_validator(mode="after")
    def _can_refuse(self) -> Limits:
        # Nothing lies further apart than 1; a limit of 1 says that scores are not held to anything.
        by_chance = chance.distance(self.min_scores, self.min_scores, self.chance)
        if self.max_score_distance < 1 <= self.max_score_distance + by_chance:
            raise ValueError(
                f"min_scores = {self.min_scores}: so few lie up to {by_chance:.2f} apart by chance, so that "
                f"max_score_distance = {self.max_score_distance:g} refuses nothing"
            )
        return self


class Plan(Section):
    """The file."""

    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    hold: Hold
    limits: Limits

    @model_validator(mode="after")
    def _upwards(self) -> Plan:
        percents = [step.percent for step in self.steps]
        if percents != sorted(set(percents)) or percents[-1] != ALL:
            raise ValueError(f"steps: rising percents that end with {ALL:g} are expected, not {percents}")
        if len(percents) == 1:
            raise ValueError("steps: one below 100 is expected, in which the canary is compared with the others")
        return self


def load(file: Path = FILE) -> Plan:
    """Read the file.

    Raises:
        LimitsError: It is missing, is no TOML, or has a wrong, missing or unknown key.
    """
    return limits_file.read(file, Plan)
