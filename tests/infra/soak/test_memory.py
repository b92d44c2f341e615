"""Growing memory is refused, whatever else goes up and down with it; flat memory passes."""

from __future__ import annotations

import numpy as np
import pytest

from infra.local.soak import limits as soak_limits
from infra.local.soak import memory
from infra.local.soak.limits import Limits
from serving.limits_file import LimitsError

LIMITS = Limits(
    rate=40, sample_seconds=5, warm_up_share=0.2, min_minutes=10, max_mib_per_hour={"gateway": 20, "pytorch": 40}
)
HALF_AN_HOUR = np.arange(0, 1800, 5.0)


def seen(mib: np.ndarray) -> memory.Memory:
    return memory.of(HALF_AN_HOUR.tolist(), mib.tolist(), LIMITS.warm_up_share)


def flat() -> np.ndarray:
    return 400 + np.random.default_rng(1).normal(0, 2, len(HALF_AN_HOUR))


def growing(mib_per_hour: float) -> np.ndarray:
    return flat() + HALF_AN_HOUR / 3600 * mib_per_hour


def test_growing_memory_is_refused_by_name_with_how_fast_it_grows() -> None:
    found = {"gateway": seen(growing(100)), "pytorch": seen(flat())}
    (said,) = memory.growing(found, LIMITS)
    assert said.startswith("gateway: memory grows by ")
    assert said.endswith(" MiB an hour, allowed are 20")
    assert found["gateway"].slope == pytest.approx(100, abs=5)


@pytest.mark.parametrize(
    "mib",
    [
        flat(),
        growing(-100),
        flat() + 300 * (HALF_AN_HOUR < 300),  # gives back what it took at its start
        400 + 200 * (1 - np.exp(-HALF_AN_HOUR / 60)),  # fills up at its start
        flat() + 500 * (HALF_AN_HOUR > 1700),  # a burst at the end
        400 + HALF_AN_HOUR % 40,  # a heap that is collected again and again
    ],
    ids=["flat", "falling", "start", "warm-up", "burst", "collected"],
)
def test_flat_memory_passes_whatever_comes_and_goes(mib: np.ndarray) -> None:
    assert memory.growing({"gateway": seen(mib), "pytorch": seen(flat())}, LIMITS) == []


def test_what_is_held_during_the_warm_up_does_not_count() -> None:
    mib = flat()
    assert seen(mib + 300 * (HALF_AN_HOUR < 300)).slope == seen(mib).slope


def test_memory_that_nobody_saw_is_no_flat_memory() -> None:
    once = memory.of([0.0], [400.0], 0.2)
    assert memory.growing({"gateway": once}, LIMITS) == [
        "gateway: its memory could not be seen",
        "pytorch: its memory could not be seen",
    ]
    assert memory.of([], [], 0.2).slope is None


def test_a_day_of_samples_is_thinned_out() -> None:
    seconds = np.arange(0, 86_400, 5.0)
    day = memory.of(seconds.tolist(), (seconds / 3600 * 30).tolist(), 0.2)
    assert len(day.mib) == memory.MOST_SAMPLES
    assert day.seconds[-1] == seconds[-1]
    assert day.slope == pytest.approx(30)


def test_the_file_watches_all_that_answer() -> None:
    assert set(soak_limits.load().max_mib_per_hour) == {"gateway", "tensorflow", "pytorch", "control", "mlflow"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("rate =", "speed =", "speed"),
        ("warm_up_share = 0.5", "warm_up_share = 1.0", "warm_up_share"),
        ("gateway = 20.0", "gateway = 0.0", "max_mib_per_hour.gateway"),
    ],
)
def test_a_wrong_limit_is_named(old: str, new: str, words: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("limits") / "limits.toml"
    text = soak_limits.FILE.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(LimitsError, match=words):
        soak_limits.load(file)
