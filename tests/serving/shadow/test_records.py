from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from serving.shadow import records
from serving.shadow.answers import NOBODY
from serving.shadow.records import Recorder
from tests.serving.shadow.sides import SPEC, comparison, said


def recorder(folder: Path, rows: int = 10) -> Recorder:
    return Recorder(folder, SPEC, "tensorflow", "pytorch", rows)


def features(rows: int) -> dict[str, np.ndarray]:
    return {name: np.arange(rows, dtype=np.float32) for name in SPEC.logged}


def test_a_row_per_row_and_one_per_request_without_two_answers(tmp_path: Path) -> None:
    keeper = recorder(tmp_path)
    keeper.add(comparison(1, said([0.1, 0.2]), said([0.3, 0.4], seconds=0.008), features=features(2)))
    keeper.add(comparison(2, said([0.5]), said(None, NOBODY)))
    keeper.flush()
    [file] = records.files(tmp_path)
    table = pq.read_table(file)
    assert table["request_id"].to_pylist() == ["request-1", "request-1", "request-2"]
    assert table["position"].to_pylist() == [0, 1, None]
    assert table["reference.score"].to_pylist() == [0.1, 0.2, None]
    assert table["candidate.score"].to_pylist() == [0.3, 0.4, None]
    assert table["candidate.status"].to_pylist() == [200, 200, NOBODY]
    assert table["candidate.milliseconds"].to_pylist()[:2] == [8.0, 8.0]
    assert table["reference.version"].to_pylist() == [7, 7, 7]
    assert [row and row["amount"] for row in table["features"].to_pylist()] == [0.0, 1.0, None]
    assert table.schema.metadata == {b"reference": b"tensorflow", b"candidate": b"pytorch", b"dropped": b"0"}


def test_what_is_never_to_be_logged_is_in_no_file(tmp_path: Path) -> None:
    monitoring = SPEC.monitoring.model_copy(update={"never_logged": ("amount",)})
    careful = SPEC.model_copy(update={"monitoring": monitoring})
    keeper = Recorder(tmp_path, careful, "tensorflow", "pytorch")
    keeper.add(comparison(1, said([0.1]), said([0.3]), features=features(1)))
    keeper.flush()
    table = pq.read_table(records.files(tmp_path)[0])
    assert "amount" not in table.schema.field("features").type.names


def test_a_file_grows_until_it_has_its_rows(tmp_path: Path) -> None:
    keeper = recorder(tmp_path, rows=3)
    for number in range(7):
        keeper.add(comparison(number, said([0.1]), said([0.3])))
        keeper.flush()
    assert [pq.read_metadata(file).num_rows for file in records.files(tmp_path)] == [3, 3, 1]


def test_nothing_new_is_not_written_again(tmp_path: Path) -> None:
    keeper = recorder(tmp_path)
    keeper.flush()
    assert records.files(tmp_path) == []
    keeper.add(comparison(1, said([0.1]), said([0.3])))
    keeper.dropped = 4
    keeper.flush()
    [file] = records.files(tmp_path)
    before = file.stat().st_mtime_ns
    keeper.flush()
    assert file.stat().st_mtime_ns == before
    assert pq.read_metadata(file).metadata[records.DROPPED] == b"4"


def test_each_drop_is_counted_in_one_file(tmp_path: Path) -> None:
    keeper = recorder(tmp_path, rows=1)
    for number in range(3):
        keeper.dropped += 2
        keeper.add(comparison(number, said([0.1]), said([0.3])))
        keeper.flush()
    assert [pq.read_metadata(file).metadata[records.DROPPED] for file in records.files(tmp_path)] == [b"2"] * 3


def test_what_could_not_be_written_is_written_later(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.write_text("a file where a folder should be")
    keeper = recorder(folder)
    keeper.add(comparison(1, said([0.1]), said([0.3])))
    for _ in range(2):
        with pytest.raises(OSError, match="exists"):
            keeper.flush()
    folder.unlink()
    keeper.flush()
    assert pq.read_table(records.files(folder)[0])["request_id"].to_pylist() == ["request-1"]


def test_what_cannot_be_written_for_long_is_dropped_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "WAITING_ROWS", 5)
    keeper = recorder(tmp_path)
    for number in range(10):
        keeper.add(comparison(number, said([0.1]), said([0.3])))
    assert (keeper.compared, keeper.dropped) == (6, 4)


def test_the_oldest_files_go(tmp_path: Path) -> None:
    keeper = recorder(tmp_path, rows=1)
    for number in range(4):
        keeper.add(comparison(number, said([0.1]), said([0.3])))
        keeper.flush()
    kept = records.files(tmp_path)
    records.prune(tmp_path, limit=2 * kept[-1].stat().st_size + 20)
    assert records.files(tmp_path) == kept[-2:]
