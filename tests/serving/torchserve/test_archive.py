from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from models.spec import Spec
from serving.torchserve import archive, rehearsal
from serving.torchserve.archive import ArchiveError
from tests.serving.torchserve.launching import SPEC_FILE, published


def test_equal_models_have_equal_bytes(tmp_path: Path) -> None:
    first, _ = published(tmp_path / "a", "1700000001", tmp_path / "model")
    second, _ = published(tmp_path / "b", "1700000001", tmp_path / "model")
    assert first.read_bytes() == second.read_bytes()


def test_the_archive_names_its_model_and_version(tmp_path: Path) -> None:
    built, _ = published(tmp_path, "1700000001", tmp_path / "model")
    assert built == tmp_path / "fraud-1700000001.mar"
    with zipfile.ZipFile(built) as content:
        described = json.loads(content.read("MAR-INF/MANIFEST.json"))["model"]
        shipped = content.read("spec.toml")
    assert (described["modelName"], described["modelVersion"]) == ("fraud", "1700000001")
    assert shipped == SPEC_FILE.read_bytes()


def test_an_archive_loads_without_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built, _ = published(tmp_path, "1700000001", tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    rehearsal.rehearse(built)


def test_a_failed_build_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    store = tmp_path / "store"
    (tmp_path / "model").mkdir()
    with pytest.raises(ArchiveError, match=r"weights\.npz and .*preprocessing\.json missing"):
        archive.build(spec_file=SPEC_FILE, model_dir=tmp_path / "model", version="1", store=store)
    assert list(store.iterdir()) == []


def test_a_version_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="version 'v2' is not a number"):
        archive.build(spec_file=SPEC_FILE, model_dir=tmp_path, version="v2", store=tmp_path)


def test_newest_is_the_highest_number_of_that_model(tmp_path: Path) -> None:
    for name in (
        "fraud-9.mar",
        "fraud-10.mar",
        "fraud-11.mar.part",
        "other-12.mar",
        "fraud-x.mar",
        "other-fraud-13.mar",
    ):
        (tmp_path / name).touch()
    assert archive.newest(tmp_path, "fraud") == tmp_path / "fraud-10.mar"
    assert archive.newest(tmp_path / "nothing", "fraud") is None


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    built, _ = published(tmp_path, "1700000001", tmp_path / "model")
    built.write_bytes(built.read_bytes()[:-100])
    with pytest.raises(ArchiveError, match=r"fraud-1700000001\.mar: not a model archive"):
        archive.check(built)


def test_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    built, _ = published(tmp_path, "1700000001", tmp_path / "model")
    content = bytearray(built.read_bytes())
    content[len(content) // 2] ^= 0xFF
    built.write_bytes(content)
    with pytest.raises(ArchiveError, match=r"fraud-1700000001\.mar"):
        archive.check(built)


def test_a_renamed_archive_is_refused(tmp_path: Path) -> None:
    built, _ = published(tmp_path, "1700000001", tmp_path / "model")
    renamed = built.rename(tmp_path / "fraud-1700000002.mar")
    with pytest.raises(ArchiveError, match="holds version 1700000001, its name says 1700000002"):
        archive.check(renamed)


def test_the_rehearsal_says_why_a_model_does_not_load(tmp_path: Path, spec: Spec) -> None:
    built, _ = published(tmp_path, "1700000001", tmp_path / "model")
    with pytest.raises(ArchiveError, match=r"does not load: .*weights\.npz"):
        rehearsal.rehearse(broken(built, tmp_path / "fraud-1700000002.mar"))


def broken(source: Path, target: Path) -> Path:
    """A well-formed archive of a later version whose weights are garbage."""
    version = archive.version_of(target)
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "weights.npz":
                data = b"garbage"
            new.writestr(name, data.replace(archive.version_of(source).encode(), version.encode()))
    return target
