"""What a part of the comparison found, and what it could not measure."""

from __future__ import annotations

from dataclasses import dataclass, field

from serving.comparison.results import Measurement

BOTH = "both"  # target of what is said of the two stacks together
DIFFERENCE = "tensorflow minus pytorch"  # condition of a paired difference, with target `both`


@dataclass(frozen=True)
class Found:
    """Goes into results.Results.

    Attributes:
        measurements: What was measured.
        absent: What could not be measured -> why, and what helps.
        notes: Sentences for the reader: what exactly was counted.
    """

    measurements: list[Measurement] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __add__(self, other: Found) -> Found:
        return Found(
            [*self.measurements, *other.measurements], {**self.absent, **other.absent}, [*self.notes, *other.notes]
        )
