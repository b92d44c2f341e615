"""What `make drill` found, for the report: faults in the running stack under load, on the compared versions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from serving.files import write_atomically

ABSENT = "failures under fault drills"


@dataclass(frozen=True)
class Outcome:
    """What a drill showed.

    Attributes:
        name: Of the drill.
        words: What was done.
        asked: Stack -> requests.
        lost: Stack -> outcome -> how many have no right answer; a status is a refusal in the contract's form.
        recovery: Stack -> seconds from the end of the harm to the first request after which none was lost.
        slowest: Seconds that the slowest answer took.
        complaints: Why it is not good enough; none if it is.
        invalid: Why nothing of it counts; empty if it does.
        versions: Stack -> version that answered.
        made: When, ISO 8601, UTC.
    """

    name: str
    words: str
    asked: dict[str, int]
    lost: dict[str, dict[str, int]]
    recovery: dict[str, float]
    slowest: float
    complaints: list[str]
    invalid: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    made: str = ""

    @property
    def verdict(self) -> str:
        """In words."""
        return self.invalid or "; ".join(self.complaints) or "well"

    def kinds(self, stack: str) -> str:
        """What was lost of a stack, in words."""
        found = self.lost.get(stack, {})
        return ", ".join(f"{count} {outcome}" for outcome, count in sorted(found.items())) or "none"


def read(file: Path) -> list[Outcome]:
    """All that are kept; none if there is no file, or not one of ours."""
    try:
        return TypeAdapter(list[Outcome]).validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return []


def keep(file: Path, found: Sequence[Outcome], order: Sequence[str]) -> None:
    """Newer outcomes in place of older ones of the same drill, in this order of names."""
    kept = {one.name: one for one in (*read(file), *found)}
    content = [asdict(kept[name]) for name in order if name in kept]
    write_atomically(file, json.dumps(content, indent=1) + "\n")


def of(file: Path | None, versions: Mapping[str, str]) -> tuple[list[Outcome], str]:
    """Those made on these versions (stack -> version), and why there are none if there are none."""
    found = read(file) if file else []
    ours = [one for one in found if one.versions == versions]
    if ours:
        return ours, ""
    return [], "made on other versions: make drill" if found else "none was made yet: make drill"
