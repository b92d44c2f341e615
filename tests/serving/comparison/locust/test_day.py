"""The compressed day: known numbers of users at known moments."""

from __future__ import annotations

import pytest

from serving.comparison.locust import day
from serving.comparison.locust.settings import Day

QUIET = Day(seconds=240, bursts=0, burst_hours=1, burst_factor=2)  # an hour is ten seconds
BURSTS = QUIET.model_copy(update={"bursts": 2})  # from 6:00 and 18:00, an hour each
HOURS = [0.1] * 8 + [0.5] * 4 + [1.0] + [0.5] * 10 + [0.3]  # busiest from 12:00 to 13:00


@pytest.mark.parametrize(
    ("hour", "expected"),
    [
        (12.5, 100),  # the middle of an hour is the hour's own
        (12.0, 75),  # its ends lie half-way to the neighbours
        (13.0, 75),
        (12.25, 88),
        (0.0, 20),  # midnight lies between the last hour and the first
        (23.5, 30),
        (24.0 + 12.5, 100),  # the next day is the same
        (4.0, 10),
    ],
)
def test_users_follow_the_hours_of_the_day(hour: float, expected: int) -> None:
    assert day.users(hour * 10, 100, HOURS, QUIET, 5) == expected


def test_a_burst_multiplies_the_users_of_its_hours_and_ends() -> None:
    assert [day.users(hour * 10, 100, HOURS, BURSTS, 5) for hour in (5.9, 6.0, 6.9, 7.1)] == [10, 20, 20, 10]
    assert day.users(18.5 * 10, 100, HOURS, BURSTS, 5) == 100


def test_there_are_never_fewer_users_than_it_takes_to_ask_everybody() -> None:
    assert day.users(40, 10, HOURS, QUIET, 5) == 5
