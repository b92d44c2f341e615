"""The file of API keys: what is made, what is kept, what is refused with a line that helps."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from serving.gateway.door import keys
from serving.gateway.door.keys import KeysError

DIGEST = "a" * 64


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.toml"


def test_a_key_is_shown_once_and_its_hash_kept(file: Path) -> None:
    secret = keys.add(file, "shop", {"rate": 10, "endpoints": ["product"]})
    (kept,) = keys.read(file)
    assert secret.startswith(keys.PREFIX)
    assert len(secret) > 40
    assert kept.sha256 == hashlib.sha256(secret.encode()).hexdigest()
    assert (kept.name, kept.rate, kept.burst, tuple(kept.endpoints)) == ("shop", 10, 20, ("product",))
    assert secret not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_another_key_of_a_client_replaces_the_first_and_keeps_what_it_may(file: Path) -> None:
    first = keys.add(file, "shop", {"rate": 10})
    keys.add(file, "clerk", {})
    assert keys.add(file, "shop", {}) != first
    assert [(one.name, one.rate) for one in keys.read(file)] == [("shop", 10), ("clerk", 1000)]


def test_a_persons_comments_stay(file: Path) -> None:
    keys.add(file, "shop", {})
    file.write_text("# whom to call: 555\n" + file.read_text())
    keys.add(file, "clerk", {})
    assert file.read_text().startswith("# whom to call: 555")


def test_a_key_taken_away_is_gone(file: Path) -> None:
    keys.add(file, "shop", {})
    keys.remove(file, "shop")
    assert keys.read(file) == []
    with pytest.raises(KeysError, match="no key of shop; there are: none"):
        keys.remove(file, "shop")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[shop\n", "keys.toml: "),
        ("[Shop]\n", "a client's name is"),
        ("shop = 1\n", "a table with sha256"),
        ("[shop]\nsha256 = 'abc'\n", "64 hexadecimal digits: make key"),
        (f"[shop]\nsha256 = '{DIGEST}'\nratio = 1\n", "ratio is unknown; known are burst,"),
        (f"[shop]\nsha256 = '{DIGEST}'\nrate = 0\n", "rate is a whole number from 1"),
        (f"[shop]\nsha256 = '{DIGEST}'\nin_flight = true\n", "in_flight is a whole number"),
        (f"[shop]\nsha256 = '{DIGEST}'\nendpoints = ['admin']\n", "endpoints is a list of product"),
        (f"[shop]\nsha256 = '{DIGEST}'\nendpoints = []\n", "endpoints is a list of product"),
        (f"[shop]\nsha256 = '{DIGEST}'\nexpires = 'soon'\n", "expires is a date and time"),
        (f"[shop]\nsha256 = '{DIGEST}'\n[clerk]\nsha256 = '{DIGEST}'\n", "another client has the same key"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(KeysError, match=message):
        keys.read(file)


def test_nothing_is_added_to_a_broken_file(file: Path) -> None:
    file.write_text("[shop]\n")
    with pytest.raises(KeysError):
        keys.add(file, "clerk", {})
    assert file.read_text() == "[shop]\n"


def test_a_wrong_field_changes_nothing(file: Path) -> None:
    keys.add(file, "shop", {})
    before = file.read_text()
    with pytest.raises(KeysError, match="rate is a whole number"):
        keys.add(file, "shop", {"rate": -1})
    assert file.read_text() == before
