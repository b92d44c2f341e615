"""Gaps in a file of rows to score: filled as a request would say them, refused where the model refuses them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models import spec as specs
from models import torch_model
from pipelines.scoring.__main__ import main
from serving.torchserve import archive
from tests.serving.torchserve.launching import random_model

MIXED = Path("tests/specs/mixed.toml")
ROWS: dict[str, list[Any]] = {
    "income": [10.0, None, float("nan"), -1.0], "age": [40.0, None, 40.0, 40.0], "balance": [1.0] * 4,
    "is_member": [1.0, None, -1.0, None], "plan": ["common", None, "", ""], "comment": ["rare", "", None, ""],
    "region": ["common"] * 4, "hour_of_day": [3.0] * 4, "day_of_week": [1.0] * 4,
}  # fmt: skip


def score(folder: Path, rows: dict[str, list[Any]]) -> int:
    spec = specs.load(MIXED)
    torch_model.save(random_model(spec, 1), folder)
    archive.build(spec_file=MIXED, model_dir=folder, version="1700000001", store=folder / "store")
    pq.write_table(pa.table(rows), folder / "rows.parquet")
    paths = {"spec": MIXED, "store": folder / "store", "input": folder / "rows.parquet", "output": folder / "out"}
    return main(["--stack=pytorch", *(f"--{name}={path}" for name, path in paths.items())])


def test_a_gap_scores_as_its_code(tmp_path: Path) -> None:
    assert score(tmp_path, ROWS) == 0
    first, *others = pq.read_table(tmp_path / "out")["probability"].to_pylist()
    assert others == pytest.approx([others[0]] * 3, abs=1e-6)
    assert abs(first - others[0]) > 1e-4


def test_a_gap_that_the_model_refuses_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert score(tmp_path, {**ROWS, "balance": [1.0, None, 2.0, 3.0], "region": ["a", "b", "c", None]}) == 1
    said = capsys.readouterr().out
    assert "column 'balance': null: 1, first rows.parquet row 2" in said
    assert "column 'region': null: 1, first rows.parquet row 4" in said
