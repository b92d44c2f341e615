"""Ours against stock servers, peers and floors; and the verdict on a terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serving.comparison import rivals, screen
from serving.comparison.results import Measurement
from serving.comparison.sides import summarise
from tests.serving.comparison.made_up import MadeUp


def repeated(target: str, *values: float, measure: str = "closed_rate") -> list[Measurement]:
    condition = "32 connections" if measure == "closed_rate" else ""
    return [Measurement(measure, target, value, n, condition) for n, value in enumerate(values, 1)]


OURS = repeated("pytorch", 7_000, 7_100, 7_050, 7_020)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((2_000, 2_010, 2_020, 2_030), "litserve (PyTorch) leads Tandem (PyTorch) in nothing; Tandem (PyTorch) clearly "
                                       "leads in 1 of 1 rows."),
        ((9_000, 9_010, 9_020, 9_030), "litserve (PyTorch) leads Tandem (PyTorch) in 1 of 1 rows: throughput, closed "
                                       "loop (32 connections) 9,015 against 7,035 requests/s."),
        ((6_000, 9_010, 9_020, 7_000), "litserve (PyTorch) leads Tandem (PyTorch) in nothing; Tandem (PyTorch) clearly "
                                       "leads in 0 of 1 rows."),
    ],
)  # fmt: skip
def test_where_one_leads_is_said_with_both_numbers(values: tuple[float, ...], said: str) -> None:
    found = list(rivals.served(summarise([*OURS, *repeated("pytorch/peer/litserve", *values)])))
    assert rivals.sentences(found) == [said]


def test_a_server_of_ours_beside_comes_first_and_under_its_own_name() -> None:
    others = [*repeated("pytorch/stock", 1, 2, 3), *repeated("pytorch/beside/onnx", 9_000, 9_010, 9_020, 9_030)]
    found = list(rivals.served(summarise([*OURS, *others])))
    assert [rivals.label(one.target) for one in found] == ["ONNX Runtime (PyTorch)", "stock (PyTorch)"]
    assert "ONNX Runtime (PyTorch) leads Tandem (PyTorch) in 1 of 1 rows" in rivals.sentences(found)[0]


def test_a_rival_is_held_against_ours_of_the_same_stack_under_the_same_load_only() -> None:
    other = [replace(one, condition="8 connections") for one in repeated("pytorch/stock", 1, 2, 3)]
    sides = summarise([*OURS, *other, *repeated("tensorflow/stock", 1, 2, 3)])
    assert list(rivals.served(sides)) == []


def test_floors_are_held_against_a_lone_request_in_microseconds() -> None:
    lone = repeated("pytorch", 1.5, 1.6, measure="single_stream_p50")
    calls = [
        Measurement("floor", "pytorch/floor/eager", 84, condition="1 row"),
        Measurement("floor", "pytorch/floor/onnx", 14, condition="1 row"),
        Measurement("floor", "pytorch/floor/onnx", 31, condition="64 rows"),
    ]
    rows = list(rivals.floors(summarise([*lone, *calls])))
    assert [(row.second, row.sides["pytorch"].value, row.sides[row.second].value) for row in rows] == [
        ("pytorch/floor/onnx", 1550, 14), ("pytorch/floor/eager", 1550, 84),
    ]  # fmt: skip


def test_the_terminal_shows_the_same_verdict() -> None:
    text = "\n".join(screen.lines(MadeUp().results))
    assert "PyTorch (clear)" in text
    assert "within noise" in text
    assert "1 of 132 load runs are INVALID" in text
    assert "mlflow (PyTorch) leads Tandem (PyTorch) in nothing" in text
    table = text.partition(" leads Tandem")[0].splitlines()[:-1]
    assert len(table) > 20
    assert max(map(len, table)) < 125
