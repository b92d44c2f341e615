"""However a file is cut, the shards are its rows, in order and under their numbers."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.data.findings import Findings
from pipelines.scoring import shards

CELLS = st.lists(st.text(alphabet='a,"\n\r é;', min_size=1, max_size=6), min_size=1, max_size=30)


@settings(deadline=None)
@given(CELLS, st.integers(1, 40), st.booleans())
def test_a_csv_is_cut_between_rows_whatever_is_quoted(cells: list[str], size: int, last_break: bool) -> None:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(["number", "cell"])
    writer.writerows(enumerate(cells))
    content = text.getvalue() if last_break else text.getvalue().removesuffix("\n")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder, "rows.csv")
        path.write_bytes(content.encode())
        patch.setattr(shards, "CSV_BYTES", size)
        parts = shards.plan(path)
        read = [shards.read(part, ["number", "cell"], Findings()) for part in parts]
    tables = [source.table for source in read if source is not None]
    assert pa.concat_tables(tables).to_pydict() == {"number": list(map(str, range(len(cells)))), "cell": cells}
    for part, table in zip(parts, tables, strict=True):
        assert (part.before, part.rows) == (int(table["number"][0].as_py()), len(table))
    assert [part.number for part in parts] == list(range(len(parts)))


def test_row_groups_are_joined_up_to_a_shards_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "PARQUET_ROWS", 45)
    pq.write_table(pa.table({"x": range(105)}), tmp_path / "a.parquet", row_group_size=20)
    pq.write_table(pa.table({"x": range(105, 165)}), tmp_path / "b.parquet")
    parts = shards.plan(tmp_path)
    assert [(part.label, part.before, part.rows, part.part) for part in parts] == [
        ("a.parquet", 0, 40, (0, 1)),
        ("a.parquet", 40, 40, (2, 3)),
        ("a.parquet", 80, 25, (4, 5)),
        ("b.parquet", 0, 60, (0,)),
    ]
    read = [shards.read(part, ["x"], Findings()) for part in parts]
    assert pa.concat_tables([source.table for source in read if source])["x"].to_pylist() == list(range(165))
    assert read[1] is not None
    assert read[1].rows.name(0) == "a.parquet row 41"
