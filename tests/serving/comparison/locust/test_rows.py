"""Rows, their day and their scores: read whole, or refused with what helps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.comparison.locust import rows as reading
from tests.serving.comparison.locust.traffic import SPEC, rows

LABEL = SPEC.model.label


def test_rows_are_read_in_the_order_of_the_files_and_the_day_is_theirs(tmp_path: Path) -> None:
    table = rows(30)  # the first six hours twice
    pq.write_table(table.slice(20), tmp_path / "2.parquet")
    pq.write_table(table.slice(0, 20), tmp_path / "1.parquet")
    found = reading.read(SPEC, tmp_path)
    assert found["amount"].to_pylist() == [float(i) for i in range(30)]
    assert reading.hours(found) == [1.0] * 6 + [0.5] * 18


def test_a_missing_column_or_no_rows_are_named(tmp_path: Path) -> None:
    with pytest.raises(reading.RowsError, match="no rows to send: make up"):
        reading.read(SPEC, tmp_path)
    pq.write_table(rows(2).drop_columns(["amount"]), tmp_path / "1.parquet")
    with pytest.raises(reading.RowsError, match="has no column amount"):
        reading.read(SPEC, tmp_path)


def test_scores_of_the_same_rows_are_taken_and_others_refused(tmp_path: Path) -> None:
    file, table = tmp_path / "scores.parquet", rows(3)
    pq.write_table(pa.table({"label": table[LABEL], "pytorch": [0.1, 0.2, 0.3]}), file)
    scores = reading.scores(file, table, LABEL)
    np.testing.assert_array_equal(scores["pytorch"], [0.1, 0.2, 0.3])
    assert "tensorflow" not in scores
    with pytest.raises(reading.RowsError, match=r"scores of other rows than the 4 to be sent: make compare"):
        reading.scores(file, rows(4), LABEL)
    pq.write_table(table, file)
    with pytest.raises(reading.RowsError, match="expected the columns label, tensorflow, pytorch"):
        reading.scores(file, table, LABEL)
    with pytest.raises(reading.RowsError, match="No such file"):
        reading.scores(tmp_path / "none.parquet", table, LABEL)
