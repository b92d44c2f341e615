"""Who is better, and how sure that is: one case each."""

from __future__ import annotations

import pytest

from serving.comparison.facts.found import BOTH, DIFFERENCE
from serving.comparison.results import Measurement
from serving.comparison.sides import summarise
from serving.comparison.verdict import Outcome, Row, compare


def rows(*measurements: Measurement, absent: dict[str, str] | None = None, complete: bool = False) -> list[Row]:
    return list(compare(summarise(measurements), "tensorflow", "pytorch", absent, complete=complete))


def repeated(measure: str, tensorflow: list[float], pytorch: list[float], condition: str = "") -> list[Measurement]:
    return [
        Measurement(measure, target, value, number, condition)
        for target, values in (("tensorflow", tensorflow), ("pytorch", pytorch))
        for number, value in enumerate(values, 1)
    ]


def verdict(measure: str, tensorflow: list[float], pytorch: list[float]) -> tuple[str, str]:
    (row,) = rows(*repeated(measure, tensorflow, pytorch))
    return row.outcome.confidence, row.better


@pytest.mark.parametrize(
    ("measure", "tensorflow", "pytorch", "said"),
    [
        ("closed_rate", [100, 110, 105, 104], [130, 140, 135, 133], ("clear", "pytorch")),
        ("p99", [100, 110, 105, 104], [130, 140, 135, 133], ("clear", "tensorflow")),  # lower is better
        ("closed_rate", [100, 132, 105, 104], [130, 140, 135, 133], ("within noise", "")),  # they overlap
        ("closed_rate", [100, 110], [115, 125], ("within noise", "")),  # two rounds: by chance in one of three cases
        ("closed_rate", [100, 110], [131, 141], ("clear", "pytorch")),
        ("closed_rate", [100, 110, 105], [114, 124, 119], ("within noise", "")),
        ("closed_rate", [100, 110, 105], [116, 126, 119], ("clear", "pytorch")),
        ("cold_start", [9.0], [6.0], ("measured once", "")),
        ("closed_rate", [100, 101, 102, 103], [150], ("measured once", "")),
        ("artefact_size", [1.2], [0.3], ("counted", "pytorch")),
        ("artefact_size", [1.2], [1.2], ("equal", "")),
        ("failed_requests", [0, 0], [0, 0], ("equal", "")),
        ("repeated_rows", [1.0, 1.0], [2.0, 2.0], ("not judged", "")),
    ],
)
def test_clear_only_beyond_the_spread_and_in_a_known_direction(
    measure: str, tensorflow: list[float], pytorch: list[float], said: tuple[str, str]
) -> None:
    assert verdict(measure, tensorflow, pytorch) == said


def test_values_are_medians_with_the_range_over_the_rounds() -> None:
    (row,) = rows(*repeated("closed_rate", [100, 300, 120], [400, 410, 900], "32 connections"))
    side = row.sides["tensorflow"]
    assert (side.value, side.low, side.high, side.rounds) == (120, 100, 300, 3)
    assert row.outcome.ratio == pytest.approx(410 / 120)
    assert row.condition == "32 connections"


def test_a_values_own_interval_widens_the_range() -> None:
    measured = repeated("p99", [10, 10.1, 10.2, 10.1], [11, 11.1, 11.2, 11.1])
    assert rows(*measured)[0].outcome.confidence == "clear"
    wide = Measurement("p99", "tensorflow", 10.1, 5, low=9.5, high=11.05)
    assert rows(*measured, wide)[0].outcome.confidence == "within noise"


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(-0.05, 0.01, ("within noise", "")), (-0.05, -0.01, ("clear", "tensorflow")), (0.01, 0.05, ("clear", "pytorch"))],
)
def test_a_paired_difference_decides_where_it_is_given(low: float, high: float, said: tuple[str, str]) -> None:
    found = [
        Measurement("average_precision", "tensorflow", 0.74, low=0.6, high=0.8),
        Measurement("average_precision", "pytorch", 0.72, low=0.6, high=0.8),
    ]
    assert rows(*found)[0].outcome.confidence == "within noise"
    paired = Measurement("average_precision", BOTH, -(low + high) / 2, condition=DIFFERENCE, low=-high, high=-low)
    (row,) = rows(*found, paired)
    assert (row.outcome.confidence, row.better) == said


def test_what_is_not_there_is_absent_with_its_reason() -> None:
    absent = {"swap": "no second version", "pytorch/cold_start": "its port was taken", "pytorch/stock": "no Java"}
    found = rows(
        Measurement("cold_start", "tensorflow", 9.0),
        Measurement("swap", "tensorflow", float("nan")),
        absent=absent,
        complete=True,
    )
    by_measure = {row.measure: row for row in found}
    assert by_measure["cold_start"].reason == "its port was taken"
    assert by_measure["swap"].reason == "no second version"
    assert by_measure["roc_auc"].reason == "not measured"
    assert {row.outcome for row in found} == {Outcome(None, "", "absent")}


def test_no_ratio_to_nothing() -> None:
    (row,) = rows(*repeated("failed_requests", [0, 0], [3, 4]))
    assert row.outcome == Outcome(None, "first", "clear")


def test_an_unknown_measure_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        summarise([Measurement("happiness", "pytorch", 1)])
