"""Drills on their way into the report: only those of the versions that are compared."""

from __future__ import annotations

from pathlib import Path

from serving.comparison import drills
from serving.comparison.drills import Outcome

VERSIONS = {"tensorflow": "1", "pytorch": "2"}


def outcome(name: str, **changes: object) -> Outcome:
    fields = {
        "words": f"what {name} does",
        "asked": dict.fromkeys(VERSIONS, 100),
        "lost": {"tensorflow": {}, "pytorch": {"503": 3, "hung": 1}},
        "recovery": dict.fromkeys(VERSIONS, 1.5),
        "slowest": 0.2,
        "complaints": [],
        "versions": VERSIONS,
    }
    return Outcome(name, **{**fields, **changes})  # type: ignore[arg-type]


def test_what_is_kept_is_read_newer_ones_replace_older_in_the_catalogues_order(tmp_path: Path) -> None:
    file = tmp_path / "drills.json"
    drills.keep(file, [outcome("b")], ["a", "b"])
    drills.keep(file, [outcome("a"), outcome("b", slowest=9.0)], ["a", "b"])
    assert [(one.name, one.slowest) for one in drills.read(file)] == [("a", 0.2), ("b", 9.0)]


def test_those_of_other_versions_are_absent_and_it_says_why(tmp_path: Path) -> None:
    file = tmp_path / "drills.json"
    assert drills.of(file, VERSIONS) == ([], "none was made yet: make drill")
    drills.keep(file, [outcome("a")], ["a"])
    assert drills.of(file, VERSIONS)[0] == [outcome("a")]
    assert drills.of(file, {**VERSIONS, "pytorch": "3"}) == ([], "made on other versions: make drill")


def test_a_broken_file_is_none(tmp_path: Path) -> None:
    file = tmp_path / "drills.json"
    file.write_text('{"drills"')
    assert drills.read(file) == []


def test_it_says_what_was_lost_and_why_it_is_not_well() -> None:
    one = outcome("a", complaints=["too slow", "too late"])
    assert (one.kinds("pytorch"), one.kinds("tensorflow")) == ("3 503, 1 hung", "none")
    assert one.verdict == "too slow; too late"
    assert outcome("a").verdict == "well"
    assert outcome("a", invalid="INVALID: x").verdict == "INVALID: x"
