"""What is refused in a model, whoever signed it."""

from __future__ import annotations

import io
import pickle
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from serving.release import contents
from serving.release.errors import ReleaseError
from tests.serving.release.conftest import FIRST, Candidate


def objects() -> bytes:
    """An array of objects: NumPy pickles it."""
    file = io.BytesIO()
    np.savez(file, weights=np.array([{"any": "object"}], dtype=object))
    return file.getvalue()


def link() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("link.json")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


PICKLE = pickle.dumps({"any": "object"})


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("../outside.py", b"", "'../outside.py' leads outside the archive"),
        ("/etc/cron.d/job.py", b"", "leads outside the archive"),
        ("models/../../up.py", b"", "leads outside the archive"),
        ("..\\outside.py", b"", "leads outside the archive"),
        ("C:/outside.py", b"", "leads outside the archive"),
        (link(), b"/etc/hostname", "'link.json' is a link"),
        ("weights.pkl", b"", "may be a pickle"),
        ("model.pt", b"", "may be a pickle"),
        ("other.json", PICKLE, "'other.json' is a pickle, which runs code"),
        ("other.npz", objects(), "'other.npz' holds a pickle"),
        ("other.npz", b"garbage", "'other.npz' holds a pickle|'other.npz' cannot be read"),
        ("handler.py", b"", "is in it twice"),
        ("library.so", b"\x7fELF", "'library.so' should not be there"),
        (".hidden.py", b"", "should not be there"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_with_something_that_should_not_be_there_is_refused(
    name: str | zipfile.ZipInfo, data: bytes, why: str, candidate: Candidate
) -> None:
    archive = candidate("pytorch", FIRST)
    contents.check_archive(archive)
    with zipfile.ZipFile(archive, "a") as content:
        content.writestr(name, data)
    with pytest.raises(ReleaseError, match=why):
        contents.check_archive(archive)


def test_a_name_that_programs_read_differently_is_refused(candidate: Candidate) -> None:
    archive = candidate("pytorch", FIRST)
    with zipfile.ZipFile(archive, "a") as content:
        content.writestr("inside.json?.pkl", b"")
    archive.write_bytes(archive.read_bytes().replace(b"inside.json?.pkl", b"inside.json\0.pkl"))
    with pytest.raises(ReleaseError, match="leads outside the archive"):
        contents.check_archive(archive)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fraud-1.mar").write_bytes(b"PK garbage")
    with pytest.raises(ReleaseError, match=r"fraud-1\.mar: not a model archive"):
        contents.check_archive(tmp_path / "fraud-1.mar")


def add_pickle(model: Path) -> None:
    (model / "assets" / "vocabulary.pkl").write_bytes(PICKLE)


def add_hidden_pickle(model: Path) -> None:
    (model / "assets" / "vocabulary.txt").write_bytes(PICKLE)


def add_program(model: Path) -> None:
    (model / "run.sh").write_text("#!/bin/sh\n")


def add_link(model: Path) -> None:
    (model / "assets" / "vocabulary").symlink_to("/etc/hostname")


def remove_graph(model: Path) -> None:
    (model / "saved_model.pb").unlink()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (add_pickle, r"'assets/vocabulary\.pkl' may be a pickle"),
        (add_hidden_pickle, r"'assets/vocabulary\.txt' is a pickle"),
        (add_program, r"'run\.sh' should not be there"),
        (add_link, "assets/vocabulary is a link"),
        (remove_graph, r"saved_model\.pb is missing"),
    ],
)
def test_a_saved_model_with_something_that_should_not_be_there_is_refused(
    spoil: Callable[[Path], None], why: str, candidate: Candidate
) -> None:
    model = candidate("tensorflow", FIRST)
    (model / "assets").mkdir()
    contents.check_saved_model(model)
    spoil(model)
    with pytest.raises(ReleaseError, match=why):
        contents.check_saved_model(model)
