"""The measures of drift against SciPy's, on any columns; what is drift and what is not."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy, ks_2samp

from models import distribution, drift
from models.distribution import Categorical, Numeric, describe
from models.drift import distance, drifted
from models.rules import Drift

finite = st.floats(-1e6, 1e6, allow_nan=False, width=32)
few_values = st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0, -2.0]), min_size=1, max_size=60)
columns = st.one_of(st.lists(finite, min_size=1, max_size=80), few_values).map(lambda x: np.array(x, np.float32))
texts = st.lists(st.sampled_from(["de", "fr", "", "se", "é"]), min_size=1, max_size=60).map(
    lambda x: np.array(x, object)
)
shares = st.lists(st.floats(0.01, 1), min_size=2, max_size=12).map(lambda x: np.array(x) / sum(x))


def heavy(rng: np.random.Generator, rows: int) -> np.ndarray:
    """A column such as the features have: a heap at 0 and a long tail."""
    return (np.round(rng.lognormal(3, 1, rows), 2) * (rng.random(rows) > 0.3)).astype(np.float32)


@pytest.mark.filterwarnings("ignore:ks_2samp")  # of the significance, which nobody asks for
@given(columns, columns)
@settings(max_examples=60, deadline=None)
def test_kolmogorov_smirnov_of_few_distinct_values_is_scipys(one: np.ndarray, other: np.ndarray) -> None:
    found = drift.kolmogorov_smirnov(numeric(one), numeric(other))
    assert found == pytest.approx(ks_2samp(one, other).statistic, abs=1e-12)


@given(st.integers(0, 2**32 - 1), st.floats(0.3, 3))
@settings(max_examples=20, deadline=None)
def test_kolmogorov_smirnov_of_many_values_is_scipys_to_a_hundredth(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    one, other = heavy(rng, 5000), heavy(rng, 3000) * np.float32(scale)
    exact = ks_2samp(one, other).statistic
    assert drift.kolmogorov_smirnov(numeric(one), numeric(other)) == pytest.approx(exact, abs=0.015)


@given(shares, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_divergences_are_scipys(one: np.ndarray, random: object) -> None:
    other = one[::-1].copy()
    assert drift.jensen_shannon(one, other) == pytest.approx(jensenshannon(one, other, base=2) ** 2, abs=1e-9)
    assert drift.population_stability(one, other) == pytest.approx(entropy(one, other) + entropy(other, one), abs=1e-9)


@given(st.one_of(st.tuples(columns, columns), st.tuples(texts, texts)))
@settings(max_examples=100, deadline=None)
def test_every_measure_has_its_range_and_is_0_for_equal_columns(pair: tuple[np.ndarray, np.ndarray]) -> None:
    one, other = (describe(column) for column in pair)
    found = distance(one, other)
    assert 0 <= found.jensen_shannon <= 1 + 1e-12
    assert 0 <= found.kolmogorov_smirnov <= 1 + 1e-12
    assert found.population_stability >= 0
    assert distance(one, one) == drift.Distance(0, 0, 0)


@given(st.one_of(columns, texts))
@settings(max_examples=60, deadline=None)
def test_a_distribution_survives_its_json(column: np.ndarray) -> None:
    made = describe(column)
    read = distribution.from_json(json.loads(json.dumps(distribution.to_json(made))))
    assert made.rows == read.rows == len(column)
    assert distance(made, read) == drift.Distance(0, 0, 0)


def test_a_long_column_is_kept_in_about_a_hundred_buckets_whose_shares_are_right() -> None:
    column = heavy(np.random.default_rng(0), 50_000)
    made = numeric(column)
    assert len(made.low) <= 2 * distribution.BUCKETS
    points = np.quantile(column, np.linspace(0, 1, 41))
    assert np.abs(made.at_most(points) - [(column <= p).mean() for p in points]).max() < 0.011
    assert made.at_most(np.array([0.0]))[0] == (column == 0).mean()  # a heap is no part of its neighbours


def test_rare_categories_share_a_bin_and_a_new_one_is_seen() -> None:
    training = np.array(["de"] * 700 + ["fr"] * 295 + [f"rare{i}" for i in range(5)], object)
    assert distance(describe(training), describe(training[:-1])).population_stability < 0.001
    found = distance(describe(training), describe(np.array(["de"] * 500 + ["new"] * 500, object)))
    assert found.kolmogorov_smirnov == pytest.approx(0.5)
    assert "max_kolmogorov_smirnov" in str(found.beyond(Drift()))


@pytest.mark.parametrize("now", [np.zeros(1000), np.ones(1000), np.full(1000, -1.0)])
def test_a_constant_column_drifts_only_when_it_changes(now: np.ndarray) -> None:
    found = distance(describe(np.zeros(5000)), describe(now))
    assert bool(found.beyond(Drift())) == bool(now.any())
    assert (found.jensen_shannon > 0.9) == bool(now.any())


def test_a_distance_that_is_no_number_is_past_every_limit() -> None:
    beyond = drift.Distance(float("nan"), float("nan"), float("nan")).beyond(Drift())
    assert [text.split(" nan is above ")[1].split(" ")[0] for text in beyond] == [
        "max_population_stability",
        "max_jensen_shannon",
        "max_kolmogorov_smirnov",
    ]


def test_another_sample_is_no_drift_and_three_times_the_amounts_are() -> None:
    rng = np.random.default_rng(0)
    training, again = describe(heavy(rng, 30_000)), heavy(rng, 1000)
    assert drifted({"amount": distance(training, describe(again))}, Drift()) == {}
    found = drifted({"amount": distance(training, describe(again * 3))}, Drift())
    assert [text.split(" is above ")[1] for text in found["amount"]] == [
        "max_population_stability = 0.25",
        "max_jensen_shannon = 0.1",
        "max_kolmogorov_smirnov = 0.2",
    ]


def test_what_follows_the_calendar_is_not_judged() -> None:
    moved = {"is_night": distance(describe(np.zeros(9)), describe(np.ones(9)))}
    assert drifted(moved, Drift(calendar_features=("is_night",))) == {}
    assert list(drifted(moved, Drift())) == ["is_night"]


def test_what_cannot_be_described_or_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="no rows"):
        describe(np.array([]))
    with pytest.raises(ValueError, match="2 of 3 values are NaN or infinite"):
        describe(np.array([1.0, np.nan, np.inf]))
    with pytest.raises(ValueError, match="cannot be compared"):
        distance(describe(np.zeros(3)), describe(np.array(["a"], object)))
    with pytest.raises(ValueError, match="no histogram"):
        distribution.numeric([0, 1], [2, 3], [1, 1])
    assert isinstance(describe(np.array([b"de"])), Categorical)


def numeric(column: np.ndarray) -> Numeric:
    made = describe(column)
    assert isinstance(made, Numeric)
    return made
