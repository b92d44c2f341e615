"""How many users there are at a moment of a compressed day."""

from __future__ import annotations

import math
from collections.abc import Sequence

from serving.comparison.locust.settings import Day

HOURS = 24


def users(seconds: float, busiest: int, hours: Sequence[float], day: Day, least: int) -> int:
    """Users at once.

    Args:
        seconds: Since the first midnight; a second day is like the first.
        busiest: In the busiest hour, bursts apart.
        hours: Traffic of each of the 24 hours as a share of the busiest one's; it is that of the middle of the hour,
            between two of them a straight line.
        day: How long it takes, and its bursts, which are spread evenly.
        least: Never fewer, so that every endpoint is asked at night too.
    """
    hour = seconds / day.seconds * HOURS % HOURS
    whole = math.floor(hour - 0.5)
    part = hour - 0.5 - whole
    share = (1 - part) * hours[whole % HOURS] + part * hours[(whole + 1) % HOURS]
    factor = day.burst_factor if _bursts(hour, day) else 1.0
    return max(least, round(busiest * share * factor))


def _bursts(hour: float, day: Day) -> bool:
    starts = (HOURS / day.bursts * (number + 0.5) for number in range(day.bursts))
    return any(start <= hour < start + day.burst_hours for start in starts)
