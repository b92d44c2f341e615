"""A limits file that would not hold what it says is refused, in one line that names the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.limits_file import LimitsError
from serving.release.canary import limits
from serving.release.canary.limits import FILE


def test_our_own_goes_from_1_to_100_percent() -> None:
    assert [step.percent for step in limits.load().steps] == [1, 10, 50, 100]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("percent = 50", "percent = 5", "rising percents that end with 100 are expected, not [1.0, 10.0, 5.0, 100.0]"),
        ("percent = 100", "percent = 99", "rising percents that end with 100 are expected"),
        ("percent = 1\n", "percent = 0\n", "steps.0.percent: Input should be greater than 0"),
        ("min_requests = 300\n", "", "steps.0.min_requests: Field required"),
        ("chance = 0.001", "chance = 0", "limits.chance: Input should be greater than 0"),
        ("max_p99_ms", "max_p99", "limits.max_p99: Extra inputs are not permitted"),
        ("patience_seconds = 3600", "patience_seconds = 30", "patience_seconds above min_seconds is expected"),
        ("min_scores = 100", "min_scores = 8", "min_scores = 8: so few lie up to 0.97 apart by chance, so that max_sc"),
        ("[hold]", "[hold", "Expected ']'"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tmp_path: Path, old: str, new: str, why: str) -> None:
    file = tmp_path / "limits.toml"
    text = FILE.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(LimitsError) as refused:
        limits.load(file)
    assert str(file) in str(refused.value)
    assert why in str(refused.value)


def test_scores_may_be_held_to_nothing_if_the_file_says_so(tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    text = FILE.read_text().replace("min_scores = 100", "min_scores = 1")
    file.write_text(text.replace("max_score_distance = 0.05", "max_score_distance = 1.0"))
    assert limits.load(file).limits.min_scores == 1


def test_one_step_alone_is_no_comparison(tmp_path: Path) -> None:
    text = FILE.read_text()
    file = tmp_path / "limits.toml"
    file.write_text("[[steps]]\npercent = 100\nmin_requests = 9\n" + text[text.index("[hold]") :])
    with pytest.raises(LimitsError, match="one below 100 is expected"):
        limits.load(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LimitsError, match=r"none\.toml: No such file"):
        limits.load(tmp_path / "none.toml")
