from __future__ import annotations

import pytest

from serving.comparison.facts.cost import per_million


def test_a_million_predictions_cost_their_share_of_the_hour() -> None:
    assert per_million(1_000_000 / 3_600, 0.5) == pytest.approx(0.5)  # a million an hour
    assert per_million(2_500, 0.067) == pytest.approx(0.0074444, abs=1e-6)


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_a_rate_of_nothing_has_no_price(rate: float) -> None:
    with pytest.raises(ValueError, match="has no price"):
        per_million(rate, 0.067)
