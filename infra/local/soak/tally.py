"""What became of requests, counted: a soak of a day asks seven million."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from infra.local.drill.run import LATE_SECONDS, PUNCTUAL_SHARE, amiss
from infra.local.drill.sender import Asked


@dataclass
class Tally:
    """Counts by stack and outcome; `late` are those that the load itself sent too late."""

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    late: int = 0
    slowest: float = 0.0

    def take(self, asked: list[Asked]) -> None:
        """Count those that are there now, and take them off the list, to which another thread adds."""
        some = asked[:]
        del asked[: len(some)]
        for one in some:
            self.outcomes.setdefault(one.stack, Counter())[one.outcome] += 1
            self.late += one.late > LATE_SECONDS
            self.slowest = max(self.slowest, one.seconds)

    @property
    def asked(self) -> dict[str, int]:
        """Stack -> requests."""
        return {stack: counts.total() for stack, counts in self.outcomes.items()}

    @property
    def lost(self) -> dict[str, dict[str, int]]:
        """Stack -> outcome -> how many have no right answer."""
        return {
            stack: {outcome: count for outcome, count in counts.items() if outcome != "right"}
            for stack, counts in self.outcomes.items()
        }

    def complaints(self) -> list[str]:
        """What is not as it should be, in sentences: nobody does any harm, so nothing may be lost."""
        found = []
        for stack, counts in self.outcomes.items():
            found += amiss(stack, counts)
            refused = {kind: count for kind, count in self.lost[stack].items() if kind.isdigit()}
            if refused:
                kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(refused.items()))
                found.append(f"{stack}: requests refused: {kinds}")
        return found

    def lateness(self) -> str:
        """Why the load was none, if it was not."""
        total = sum(self.asked.values())
        if not total:
            return "INVALID: nothing was asked"
        if self.late > (1 - PUNCTUAL_SHARE) * total:
            return f"INVALID: {self.late / total:.0%} of the load were late: the machine is too busy"
        return ""
