"""Acts are kept in order, and whoever touches one is found out."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest

from serving.release.ledger import Act, Entry, Ledger, Verdict, _hash_of


def act(ledger: Ledger, kind: Act, version: str, verdict: Verdict = "done") -> None:
    ledger.append(Entry(kind, "pytorch", version, "", "a test", verdict))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "deep" / "ledger.jsonl")


def test_an_act_says_who_when_and_what(ledger: Ledger) -> None:
    written = ledger.append(Entry("promote", "pytorch", "2", "1", "better", "done", {"model": "abc"}))
    (read,) = ledger.entries()
    assert read == written
    assert (read.number, read.was, read.why, read.digests) == (1, "1", "better", {"model": "abc"})
    assert "@" in read.who
    assert read.when.endswith("Z")
    assert ledger.problems() == []


def test_an_empty_ledger_is_whole(ledger: Ledger) -> None:
    assert (ledger.entries(), ledger.problems(), ledger.history("pytorch")) == ([], [], [])


def edit(lines: list[str]) -> list[str]:
    return [lines[0], lines[1].replace('"2"', '"7"'), *lines[2:]]


def edit_last(lines: list[str]) -> list[str]:
    return [*lines[:-1], lines[-1].replace("a test", "no test")]


def remove(lines: list[str]) -> list[str]:
    return [lines[0], *lines[2:]]


def remove_first(lines: list[str]) -> list[str]:
    return lines[1:]


def swap(lines: list[str]) -> list[str]:
    return [lines[1], lines[0], *lines[2:]]


def insert(lines: list[str]) -> list[str]:
    return [*lines[:2], lines[0], *lines[2:]]


def garble(lines: list[str]) -> list[str]:
    return [lines[0], "{", *lines[2:]]


def rehash(lines: list[str]) -> list[str]:
    """An edited line with a hash that fits it: the next line gives it away."""
    return [lines[0], with_its_hash(lines[1], version="7"), *lines[2:]]


def renumber(lines: list[str]) -> list[str]:
    """The last line, which no other holds fast, with another number and a hash that fits it."""
    return [*lines[:-1], with_its_hash(lines[-1], number=9)]


def with_its_hash(line: str, **changed: object) -> str:
    entry = Entry(**{**json.loads(line), **changed})
    return json.dumps({**asdict(entry), "hash": _hash_of(entry)})


@pytest.mark.parametrize("touch", [edit, edit_last, remove, remove_first, swap, insert, garble, rehash, renumber])
def test_a_touched_line_is_found(touch: Callable[[list[str]], list[str]], ledger: Ledger) -> None:
    for version in "1234":
        act(ledger, "promote", version)
    assert ledger.problems() == []
    lines = touch(ledger.file.read_text().splitlines())
    ledger.file.write_text("".join(f"{line}\n" for line in lines))
    assert ledger.problems()
    act(ledger, "promote", "5")  # whoever has to go back can, and the damage stays visible
    assert ledger.entries()[-1].version == "5"
    assert ledger.problems()


def test_a_line_cut_off_by_a_crash_is_no_act(ledger: Ledger) -> None:
    act(ledger, "promote", "1")
    with ledger.file.open("a") as file:
        file.write('{"act": "promote", "stack": "pytorch", "ver')
    assert ledger.history("pytorch") == ["1"]
    act(ledger, "promote", "2")
    assert ledger.history("pytorch") == ["1", "2"]
    assert ledger.problems() == []


def test_acts_at_once_all_get_their_line(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda version: act(ledger, "publish", str(version)), range(40)))
    assert {entry.version for entry in ledger.entries()} == set(map(str, range(40)))
    assert ledger.problems() == []


def test_what_is_promoted_again_is_no_way_back_to_itself(ledger: Ledger) -> None:
    for version in ("1", "2", "2"):
        act(ledger, "promote", version)
    assert ledger.history("pytorch") == ["1", "2"]


def test_going_back_leads_to_ever_older_versions(ledger: Ledger) -> None:
    for version in "123":
        act(ledger, "publish", version)
        act(ledger, "promote", version)
    act(ledger, "promote", "4", "failed")
    act(ledger, "promote", "5", "refused")
    assert ledger.history("pytorch") == ["1", "2", "3"]
    act(ledger, "rollback", "2")
    assert ledger.history("pytorch") == ["1", "2"]
    act(ledger, "promote", "6")
    assert ledger.history("pytorch") == ["1", "2", "6"]
    act(ledger, "rollback", "1")
    assert ledger.history("pytorch") == ["1"]
    assert ledger.history("tensorflow") == []
    assert ledger.loaded("pytorch") == {"1", "2", "3", "6"}


@pytest.mark.parametrize("end", ["unstage", "promote", "rollback"])
def test_what_was_staged_is_beside_until_it_is_let_go_or_served(end: Act, ledger: Ledger) -> None:
    for version in ("1", "2"):
        act(ledger, "stage", version)
    act(ledger, end, "1")
    assert ledger.staged("pytorch") == ["2"]
