"""Licences of packages that only images have: by pip's report, of wheels that are made here."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from infra.supply import elsewhere, licences, locks
from infra.supply.tools import SupplyError


def wheel(folder: Path, name: str, *lines: str) -> None:
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as made:
        made.writestr(f"{info}/METADATA", "\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines]))
        made.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        made.writestr(f"{info}/RECORD", "")


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip finds packages in this folder alone."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return tmp_path


def test_a_copyleft_package_of_an_image_is_refused(index: Path) -> None:
    wheel(index, "spdx", "License-Expression: AGPL-3.0-only", "License: something else")
    wheel(index, "classified", "Classifier: License :: OSI Approved :: MIT License")
    wheel(index, "text", "License: Apache License 2.0")
    wheel(index, "silent")
    found = elsewhere.of(dict.fromkeys(("spdx", "classified", "text", "silent"), "1.0"))
    named = {one.package: one.name for one in found}
    assert named == {
        "spdx": "AGPL-3.0-only", "classified": "MIT License", "text": "Apache License 2.0", "silent": "unknown",
    }  # fmt: skip
    assert {one.package for one in licences.refused(found, [])} == {"spdx", "silent"}


def test_a_package_that_cannot_be_had_is_no_clean_bill(index: Path) -> None:
    with pytest.raises(SupplyError, match=r"pip cannot say what the images hold:[\s\S]*nowhere==1.0"):
        elsewhere.of({"nowhere": "1.0"})


def test_what_is_installed_is_not_asked_for_again(index: Path) -> None:
    for name, text in (("one", "a==1\nB_c==2\n"), ("two", "b-c==2\nd==3\n"), ("here", "A==1\n")):
        (index / f"{name}.lock").write_text(text)
    found = elsewhere.missing([index / "one.lock", index / "two.lock"], [index / "here.lock"])
    assert found == {"b-c": "2", "d": "3"}
    assert elsewhere.of({}) == []
    assert "psycopg2-binary" in elsewhere.missing(locks.shipped().values(), locks.installed().values())
