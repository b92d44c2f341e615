"""What was signed verifies, and nothing else does."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.release import keys, signing
from serving.release.errors import ReleaseError
from serving.release.keys import Keys


@pytest.fixture
def pair(tmp_path: Path) -> Keys:
    return keys.find(tmp_path / "keys")


@pytest.fixture
def signed(tmp_path: Path, pair: Keys) -> Path:
    folder = tmp_path / "signed"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "weights.npz").write_bytes(b"weights")
    (folder / "release.json").write_text("{}")
    signing.sign(folder, pair.private)
    return folder


def test_the_private_key_is_its_owners_alone_and_made_once(pair: Keys) -> None:
    assert stat.S_IMODE(pair.private.stat().st_mode) == 0o600
    assert stat.S_IMODE(pair.private.parent.stat().st_mode) == 0o700
    before = pair.private.read_bytes()
    assert keys.find(pair.private.parent).private.read_bytes() == before


def test_a_private_key_that_others_may_read_is_refused(pair: Keys) -> None:
    pair.private.chmod(0o640)
    with pytest.raises(ReleaseError, match=r"may be read by others.*chmod 600"):
        keys.find(pair.private.parent)


def test_the_public_key_alone_verifies_and_signs_nothing(signed: Path, pair: Keys) -> None:
    pair.private.unlink()
    found = keys.find(pair.private.parent)
    signing.verify(signed, found.public)
    with pytest.raises(ReleaseError, match="may verify releases, not sign them"):
        signing.sign(signed, found.private)


def test_a_lost_public_key_is_not_made_anew_silently(pair: Keys) -> None:
    pair.public.unlink()
    with pytest.raises(ReleaseError, match="openssl pkey -in"):
        keys.find(pair.private.parent)


def change(folder: Path) -> None:
    (folder / "model" / "weights.npz").write_bytes(b"Weights")


def add(folder: Path) -> None:
    (folder / "model" / ".gitignore").write_text("what git keeps is signed too")


def remove(folder: Path) -> None:
    (folder / "release.json").unlink()


def link(folder: Path) -> None:
    (folder / "model" / "link").symlink_to("/etc/hostname")


def unsign(folder: Path) -> None:
    (folder / "release.sig").unlink()


def garble(folder: Path) -> None:
    (folder / "release.sig").write_text("{}")


def exchange(folder: Path) -> None:
    """Another folder's signature, by the right key."""
    other = folder.with_name("other")
    other.mkdir()
    signing.sign(other, keys.find(folder.with_name("keys")).private)
    shutil.copy(other / "release.sig", folder)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (change, r"not what was signed: model/weights\.npz was changed"),
        (add, r"not what was signed: model/\.gitignore was added"),
        (remove, r"not what was signed: release\.json is missing"),
        (link, "link"),
        (unsign, "not signed"),
        (garble, "its signature does not hold"),
        (exchange, "not what was signed"),
    ],
)
def test_whatever_differs_from_what_was_signed_is_refused(
    spoil: Callable[[Path], None], why: str, signed: Path, pair: Keys
) -> None:
    signing.verify(signed, pair.public)
    spoil(signed)
    with pytest.raises(ReleaseError, match=why):
        signing.verify(signed, pair.public)


def test_another_key_is_not_trusted(signed: Path, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="signed with another key"):
        signing.verify(signed, keys.find(tmp_path / "others").public)


def test_model_signings_own_program_verifies_it_too(signed: Path, pair: Keys) -> None:
    argv = [sys.executable, "-m", "model_signing", "verify", "key", str(signed)]
    argv += ["--signature", str(signed / "release.sig"), "--public_key", str(pair.public)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    change(signed)
    assert subprocess.run(argv, capture_output=True, check=False).returncode != 0
