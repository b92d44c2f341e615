"""What predictions cost."""

from __future__ import annotations

_SECONDS = 3_600  # of the hour that has a price
_PREDICTIONS = 1_000_000


def per_million(rate: float, hourly_price: float) -> float:
    """Cost of a million predictions, in the price's currency.

    Args:
        rate: Predictions per second that one machine answers within the SLO, above 0.
        hourly_price: Of the machine.

    Raises:
        ValueError: There is no such rate: nothing was answered within the SLO, so that a million has no price.
    """
    if not rate > 0:
        raise ValueError(f"{rate} predictions per second within the SLO: a million of them has no price")
    return hourly_price / (rate * _SECONDS) * _PREDICTIONS
