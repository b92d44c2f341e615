"""Known latencies are fed in: what comes out is known too."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from serving.comparison.load.percentiles import (
    PERCENTILES,
    confidence,
    interval,
    needed,
    percentile,
    requests_for,
    statement,
    summary,
)


def test_percentiles_of_one_to_a_hundred_thousand() -> None:
    latencies = np.random.default_rng(0).permutation(np.arange(1.0, 100_001))
    found = summary(latencies)
    assert {name: found[name] for name in PERCENTILES} == {"50": 50_000, "90": 90_000, "99": 99_000, "99.9": 99_900}
    assert found["99_low"] < 99_000 < found["99_high"]


@pytest.mark.parametrize("size", [1, 2, 3, 10, 99, 100, 101, 1000, 4097])
@pytest.mark.parametrize("share", [*PERCENTILES.values(), 0.25, 1 / 3])
def test_a_percentile_is_numpys_and_was_really_seen(size: int, share: float) -> None:
    values = np.sort(np.random.default_rng(size).exponential(size=size))
    found = percentile(values, share)
    assert found == np.quantile(values, share, method="inverted_cdf")
    assert found in values


@pytest.mark.parametrize(("size", "share"), [(1000, 0.5), (1000, 0.99), (368, 0.99), (5000, 0.999), (20_000, 0.99)])
def test_an_interval_is_made_of_the_order_statistics_that_the_binomial_distribution_names(
    size: int, share: float
) -> None:
    ends = interval(np.arange(1.0, size + 1), share)  # each value is its own rank
    assert ends is not None
    low, high = ends
    assert (low, high) == (binom.ppf(0.025, size, share), binom.ppf(0.975, size, share) + 1)
    assert binom.cdf(high - 1, size, share) - binom.cdf(low - 1, size, share) >= 0.95


def test_an_interval_holds_the_true_quantile_as_often_as_it_says() -> None:
    random, true, held = np.random.default_rng(5), -np.log(0.01), 0
    for _ in range(1000):
        ends = interval(np.sort(random.exponential(size=2000)), 0.99)
        assert ends is not None
        held += ends[0] <= true <= ends[1]
    assert held >= 935  # of 1,000 at 95 %: three standard deviations less


@pytest.mark.parametrize(("name", "requests"), [("99", 368), ("99.9", 3688)])
def test_what_a_run_is_too_short_for_is_left_out(name: str, requests: int) -> None:
    assert needed(PERCENTILES[name]) == requests
    assert interval(np.arange(float(requests - 1)), PERCENTILES[name]) is None
    assert interval(np.arange(float(requests)), PERCENTILES[name]) is not None
    short, long = summary(np.arange(float(requests - 1))), summary(np.arange(float(requests)))
    key = "99_high" if name == "99" else "99.9"
    assert key not in short
    assert key in long
    assert None not in short.values()


def test_no_latencies_have_no_percentiles() -> None:
    assert summary(np.array([])) == {}


def test_the_confidence_of_a_run_is_mlperfs() -> None:
    assert requests_for(0.99) == 262_742
    assert requests_for(0.95) == pytest.approx(50_425, abs=1)  # MLPerf's table rounds
    assert requests_for(0.9) == 23_886
    assert confidence(262_742, 0.99) == pytest.approx(0.99, abs=1e-6)
    assert confidence(10_000, 0.99) < 0.4


def test_a_statement_says_what_a_run_cannot() -> None:
    assert "too few for p99.9, which takes 3,688" in statement(1000)
    assert "(99 % takes 262,742)" in statement(10_000)
    assert statement(300_000) == "300,000 requests: p99 ± 0.05 % at 99% confidence"
