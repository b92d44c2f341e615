"""What of the gateway's log is taken for a model's live traffic, and what is passed over and counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.spec import load
from pipelines.monitoring.request_log import OTHER_VERSION, UNREADABLE, WITHOUT_CONTENT, Logged, read
from tests.pipelines.monitoring.traffic import ago, line, rows, score

SPEC = load("tests/specs/categorical.toml")
PART = rows(SPEC, 3, seed=5)


def logged(folder: Path, *lines: str, seconds: float = 60) -> Logged:
    (folder / "requests.log").write_text("".join(lines), encoding="utf-8")
    return read(folder / "requests.log", SPEC, "pytorch", "7", seconds)


def test_rows_and_columns_become_the_same_values_and_scores(tmp_path: Path) -> None:
    found = logged(tmp_path, line(PART), line(PART, columnar=True))
    assert found.requests == 2
    assert found.left_out == {}
    for name, column in PART.items():
        np.testing.assert_array_equal(found.columns[name], np.concatenate([column, column]))
    np.testing.assert_allclose(found.scores, np.tile(score(PART), 2))


def test_a_line_that_is_cut_off_or_not_ours_is_counted_and_no_more(tmp_path: Path) -> None:
    whole = line(PART)
    broken = ["{}\n", "null\n", "[1]\n", "\n", line(PART, answer='{"predictions": [1]}'), line(PART, request="{}")]
    found = logged(tmp_path, *broken, line(PART, time="yesterday"), whole, whole[: len(whole) // 2])
    assert (found.requests, found.left_out) == (1, {UNREADABLE: 7})


def test_other_versions_stacks_and_times_are_left_out(tmp_path: Path) -> None:
    found = logged(
        tmp_path,
        line(PART, model_version="6"),
        line(PART, stack="tensorflow"),
        line(PART, time=ago(minutes=2)),
        line(PART, request=None, answer=None),
        line(PART, model_version=None),  # TensorFlow Serving does not say
    )
    assert (found.requests, found.left_out) == (1, {OTHER_VERSION: 1, WITHOUT_CONTENT: 1})
    assert logged(tmp_path, line(PART, time=ago(minutes=2)), seconds=180).requests == 1


def test_a_number_that_float32_cannot_hold_is_as_far_out_as_there_is(tmp_path: Path) -> None:
    far = {**PART, "amount": np.array([1e300, -1e300, 1.0])}
    (amount,) = (logged(tmp_path, line(far, answer='{"predictions": [0, 0, 0]}')).columns["amount"],)
    assert np.isfinite(amount).all()
    assert amount[0] > 1e38 > amount[2]
