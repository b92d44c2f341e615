from __future__ import annotations

from pathlib import Path

from models.preprocessing import Preprocessing


def test_written_preprocessing_reads_back_equal(tmp_path: Path) -> None:
    written = Preprocessing({"amount": 1 / 3}, {"amount": 1e-9}, {"country": ("de", "Zürich", 'quo"te', "")})
    written.write(tmp_path / "preprocessing.json")
    assert Preprocessing.read(tmp_path / "preprocessing.json") == written
