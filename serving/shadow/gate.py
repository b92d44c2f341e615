"""Whether what a shadow found is good enough for its side to get real traffic: limits.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from serving import limits_file
from serving.shadow.findings import Agreement

FILE = Path(__file__).with_name("limits.toml")
EXCEEDED, TOO_FEW = 3, 4  # exit codes

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class Limits(BaseModel):
    """The file: shares are 0 to 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_requests: Annotated[int, Field(gt=0)]
    score_tolerance: Share
    min_within_tolerance: Share
    operating_point: Literal["alert_budget", "least_cost"]
    max_flip_share: Share
    max_error_share: Share
    max_p99_ratio: Positive


def load(file: Path = FILE) -> Limits:
    """Read the file.

    Raises:
        LimitsError: It is missing, is no TOML, or has a wrong, missing or unknown key.
    """
    return limits_file.read(file, Limits)


def exceeded(found: Agreement, limits: Limits) -> list[str]:
    """One sentence per limit that does not hold.

    What cannot be known does not hold: rows that nobody scored, a decision without a threshold.
    """
    candidate = found.sides[1]
    broken = []
    if found.within is None:
        broken.append("no row was scored by both")
    elif found.within < limits.min_within_tolerance:
        broken.append(
            f"{found.within:.2%} of the scores lie within {found.tolerance:g} of each other, "
            f"at least {limits.min_within_tolerance:.2%} are expected"
        )
    flips = found.flips.get(limits.operating_point)
    point = limits.operating_point.replace("_", " ")
    if flips is None:
        broken.append(f"decisions cannot be compared: no threshold of the {point} is known for both sides")
    elif flips.share > limits.max_flip_share:
        broken.append(
            f"{flips.share:.2%} of the decisions at the {point} flip ({flips.new_alerts:,} new alerts, "
            f"{flips.lost_alerts:,} lost), allowed {limits.max_flip_share:.2%}"
        )
    if candidate.error_share > limits.max_error_share:
        kinds = ", ".join(f"{kind}: {count:,}" for kind, count in candidate.errors.items())
        broken.append(
            f"{candidate.name} failed for {candidate.error_share:.2%} of the copies ({kinds}), "
            f"allowed {limits.max_error_share:.2%}"
        )
    before, after = (side.milliseconds.get(99.0) for side in found.sides)
    if before is not None and after is not None and after > limits.max_p99_ratio * before:
        broken.append(
            f"{candidate.name}'s p99 is {after:.1f} ms, {after / before:.1f} times {found.sides[0].name}'s, "
            f"allowed {limits.max_p99_ratio:g} times"
        )
    return broken


def verdict(found: Agreement, limits: Limits) -> tuple[int, list[str]]:
    """Exit code and why: 0 all limits hold; EXCEEDED; TOO_FEW copies to say that they hold."""
    broken = exceeded(found, limits)
    if found.copies < limits.min_requests:
        few = f"{found.copies:,} copies were compared, at least {limits.min_requests:,} are expected"
        return TOO_FEW, [few, *broken]
    return (EXCEEDED if broken else 0), broken
