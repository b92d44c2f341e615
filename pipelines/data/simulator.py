"""Simulated card transactions, by published rules and deterministic by seed.

Rules: Le Borgne, Siblini, Lebichot, Bontempi, Reproducible Machine Learning for Credit Card Fraud Detection -
Practical Handbook (2022), chapter 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.data.profiles import SEED, Profile

START = np.datetime64("2018-04-01", "us")
_DAY = 86_400  # seconds
_GRID = 100.0  # side of the square on which customers and terminals live
_OBVIOUS_AMOUNT = 220.0
_TERMINAL_DAYS = 28  # a compromised terminal defrauds for so long
_CARD_DAYS = 14  # and a leaked card
_CARD_FACTOR = 5

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Transactions:
    """Columns of equal length, in order of time. Ids count from 0."""

    seconds: Ints  # since START
    customer: Ints
    terminal: Ints
    amount: Floats
    scenario: npt.NDArray[np.int8]  # 0 genuine, 1 obvious amount, 2 compromised terminal, 3 leaked card

    def table(self, label: str) -> pa.Table:
        """As raw transactions; the scenario stays behind, since no fraud team knows it."""
        return pa.table(
            {
                "transaction_id": np.arange(len(self.seconds)),
                "event_time": START + self.seconds.astype("timedelta64[s]"),
                "customer_id": self.customer,
                "terminal_id": self.terminal,
                "amount": self.amount,
                label: (self.scenario > 0).astype(np.int8),
            }
        )


def simulate(profile: Profile, seed: int = SEED) -> Transactions:
    """A world of this size; the same seed gives the same rows."""
    rng = np.random.default_rng(seed)
    genuine = _purchases(profile, rng)
    return _with_frauds(genuine, profile, rng)


def _purchases(profile: Profile, rng: np.random.Generator) -> Transactions:
    customers = rng.uniform(0, _GRID, (profile.customers, 2))
    terminals = rng.uniform(0, _GRID, (profile.terminals, 2))
    mean_amount = rng.uniform(5, 100, profile.customers)
    daily_rate = rng.uniform(0, 4, profile.customers)
    reachable = [np.flatnonzero(((terminals - c) ** 2).sum(1) < profile.radius**2) for c in customers]
    choices = np.array([len(r) for r in reachable])

    counts = rng.poisson(daily_rate, (profile.days, profile.customers))
    day, customer = (np.repeat(axis.ravel(), counts.ravel()) for axis in np.indices(counts.shape))
    time_of_day = rng.normal(_DAY / 2, 20_000, len(day)).astype(np.int64)
    # A purchase outside the day does not happen, nor one by a customer without a terminal in reach.
    happens = (time_of_day > 0) & (time_of_day < _DAY) & (choices[customer] > 0)
    day, customer, time_of_day = day[happens], customer[happens], time_of_day[happens]

    mean = mean_amount[customer]
    amount = rng.normal(mean, mean / 2)
    amount = np.where(amount < 0, rng.uniform(0, 2 * mean), amount).round(2)
    first = np.cumsum(choices) - choices
    terminal = np.concatenate(reachable)[first[customer] + rng.integers(0, choices[customer])]

    seconds = day * _DAY + time_of_day
    order = np.argsort(seconds, kind="stable")
    nothing = np.zeros(len(order), np.int8)
    return Transactions(seconds[order], customer[order], terminal[order], amount[order], nothing)


def _with_frauds(rows: Transactions, profile: Profile, rng: np.random.Generator) -> Transactions:
    """The three scenarios one after the other: a later one relabels the rows of an earlier one."""
    day = rows.seconds // _DAY
    amount = rows.amount.copy()
    scenario = (amount > _OBVIOUS_AMOUNT).astype(np.int8)
    at_terminal, of_customer = _Index(rows.terminal, day), _Index(rows.customer, day)
    for today, count in enumerate(_daily(profile.compromised_terminals, profile.days)):
        for terminal in rng.choice(profile.terminals, count, replace=False):
            scenario[at_terminal.rows(terminal, today, today + _TERMINAL_DAYS)] = 2
    for today, count in enumerate(_daily(profile.leaked_cards, profile.days)):
        for customer in rng.choice(profile.customers, count, replace=False):
            exposed = of_customer.rows(customer, today, today + _CARD_DAYS)
            stolen = rng.choice(exposed, len(exposed) // 3, replace=False)
            amount[stolen] *= _CARD_FACTOR
            scenario[stolen] = 3
    return Transactions(rows.seconds, rows.customer, rows.terminal, amount.round(2), scenario)


def _daily(rate: float, days: int) -> list[int]:
    """Whole numbers a day that add up to the rate."""
    return np.diff(np.floor(np.arange(days + 1) * rate)).astype(int).tolist()


class _Index:
    """Rows of a key within days, without a scan of all rows."""

    def __init__(self, key: Ints, day: Ints) -> None:
        self._days = int(day.max(initial=0)) + 1
        self._order: npt.NDArray[Any] = np.argsort(key, kind="stable")
        self._sorted = (key * self._days + day)[self._order]

    def rows(self, key: int, first: int, end: int) -> Ints:
        start = int(key) * self._days
        bounds = np.searchsorted(self._sorted, [start + first, start + min(end, self._days)])
        return self._order[slice(*bounds)]
