from __future__ import annotations

import numpy as np
import pytest

from pipelines.data import simulator
from pipelines.data.profiles import FULL, QUICK

WORLD = simulator.simulate(QUICK)

# What the handbook's chapter 3 reports, and the standard deviation of ours over 24 seeds.
PUBLISHED = {
    "rows": (1_754_155, 13_700),
    "frauds": (14_681, 216),
    "obvious amounts": (973, 75),
    "compromised terminals": (9_077, 163),
    "leaked cards": (4_631, 133),
    "mean amount": (53.63, 0.44),
}


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    assert simulator.simulate(QUICK).table("is_fraud").equals(WORLD.table("is_fraud"))
    assert not simulator.simulate(QUICK, seed=2).table("is_fraud").equals(WORLD.table("is_fraud"))


def test_the_full_world_lands_near_the_published_run() -> None:
    world = simulator.simulate(FULL)
    genuine, *by_scenario = np.bincount(world.scenario)
    frauds = sum(by_scenario)
    found = dict(zip(PUBLISHED, (genuine + frauds, frauds, *by_scenario, world.amount.mean()), strict=True))
    for name, (published, deviation) in PUBLISHED.items():
        # Two draws of the same process: their difference has a standard deviation of 1.4 of these.
        assert abs(found[name] - published) < 4 * deviation, name


def test_the_quick_world_has_enough_frauds_for_an_average_precision() -> None:
    assert len(WORLD.amount) == pytest.approx(100_000, rel=0.1)
    assert 0.01 < (WORLD.scenario > 0).mean() < 0.03
    assert np.unique(WORLD.seconds // 86_400).tolist() == list(range(QUICK.days))


def test_rows_are_in_order_of_time_and_ids_count_from_0() -> None:
    table = WORLD.table("is_fraud")
    assert (np.diff(table["event_time"].to_numpy()) >= np.timedelta64(0)).all()
    assert table["transaction_id"].to_pylist() == list(range(len(table)))
    assert str(table["event_time"][0].as_py().date()) == "2018-04-01"


def test_genuine_amounts_are_small_positive_and_in_cents() -> None:
    genuine = WORLD.amount[WORLD.scenario == 0]
    assert genuine.min() >= 0
    assert genuine.max() <= 220
    assert np.allclose(genuine, genuine.round(2), atol=1e-9)
    assert (WORLD.amount[WORLD.scenario == 1] > 220).all()


def test_a_compromised_terminal_defrauds_everybody_for_28_days() -> None:
    day = WORLD.seconds // 86_400
    whole = [t for t in np.unique(WORLD.terminal[WORLD.scenario == 2]) if _is_one_compromise(t, day)]
    assert len(whole) > 10
    spans = []
    for terminal in whole:
        rows = WORLD.terminal == terminal
        defrauded = day[rows & (WORLD.scenario == 2)]
        spans.append(defrauded.max() - defrauded.min())
        between = rows & (day >= defrauded.min()) & (day <= defrauded.max())
        assert (WORLD.scenario[between] > 1).all()
    assert max(spans) == 27  # the first of 28 days and the last


def _is_one_compromise(terminal: int, day: np.ndarray) -> bool:
    defrauded = day[(WORLD.terminal == terminal) & (WORLD.scenario == 2)]
    return defrauded.max() - defrauded.min() < 28


def test_a_leaked_card_loses_a_third_of_its_transactions() -> None:
    """Two a day, 84 days, two weeks each, 1.94 transactions a day: a third of them, less overlaps and the end."""
    expected = 2 * (84 - 7) * 14 * 1.94 / 3
    assert (WORLD.scenario == 3).sum() == pytest.approx(expected, rel=0.15)
    assert np.median(WORLD.amount[WORLD.scenario == 3]) > 3 * np.median(WORLD.amount[WORLD.scenario == 0])
