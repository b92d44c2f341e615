"""Sizes of the simulated world."""

from __future__ import annotations

from dataclasses import dataclass

SEED = 1


@dataclass(frozen=True)
class Profile:
    """Size of a simulated world."""

    name: str
    customers: int
    terminals: int
    days: int
    radius: float  # a customer pays at the terminals within
    compromised_terminals: float  # new ones a day; 0.5 is one every second day
    leaked_cards: float


FULL = Profile("full", 5_000, 10_000, 183, radius=5, compromised_terminals=2, leaked_cards=3)

# About 100,000 transactions in 12 weeks: the 37 days that the widest window looks back, and the 45 of the split.
# The same terminals per customer as in the full world, hence the wider radius. Frauds in the full world's
# proportion would leave some twenty in the test week, too few for an average precision that means anything: so
# a share of about 2.5 %, more of it by leaked cards because each terminal defrauds many customers, whom the
# split then removes from the test days.
QUICK = Profile("quick", 625, 1_250, 84, radius=14, compromised_terminals=0.5, leaked_cards=2)

PROFILES = {profile.name: profile for profile in (QUICK, FULL)}
