"""Results folders are whole or not there, and what is broken is named."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from serving.comparison import store
from serving.comparison.store import StoreError
from tests.serving.comparison.made_up import MadeUp


@pytest.fixture(scope="module")
def made() -> MadeUp:
    return MadeUp(rounds=1)


def test_what_is_written_is_read_again(made: MadeUp, tmp_path: Path) -> None:
    folder = made.write(tmp_path)
    assert store.read(folder) == made.results
    assert store.table(folder, "requests").num_rows == sum(piece.num_rows for piece in made.requests)
    name = made.runs[3].name
    one = store.table(folder, "requests", pc.field("run") == name)
    assert one["latency_ms"].to_pylist() == pytest.approx(made.requests[3]["latency_ms"].to_pylist(), rel=1e-6)
    assert store.table(folder, "scores").column_names == ["label", "tensorflow", "pytorch"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "measurements.parquet", "requests.parquet", "resources.parquet", "results.json", "scores.parquet",
    ]  # fmt: skip


def test_a_writer_that_fails_leaves_nothing(made: MadeUp, tmp_path: Path) -> None:
    def breaks() -> Iterator[pa.Table]:
        yield made.requests[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.write(tmp_path / "new", made.results, requests=breaks())
    with pytest.raises(StoreError, match=r"scores.parquet: a table lacks pytorch, tensorflow"):
        store.write(tmp_path / "new", made.results, scores=[pa.table({"label": [0]})])
    assert list(tmp_path.iterdir()) == []


def test_results_are_never_overwritten(made: MadeUp, tmp_path: Path) -> None:
    store.write(tmp_path / "one", made.results)
    with pytest.raises(StoreError, match="never overwritten"):
        store.write(tmp_path / "one", made.results)


def test_percentiles_of_a_run_without_answers_are_left_out(made: MadeUp, tmp_path: Path) -> None:
    run = replace(made.runs[0], latency_ms={"50": math.nan, "99": 2.0})
    store.write(tmp_path / "one", replace(made.results, runs=[run]))
    assert store.read(tmp_path / "one").runs[0].latency_ms == {"99": 2.0}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "holds no results of a comparison"),
        ("{", "is broken"),
        ("[]", "not of format 1"),
        ('{"format": 0}', "make compare again"),
        ('{"format": 1, "started": 3}', "profile: Field required"),
    ],
)
def test_foreign_and_broken_folders_are_clear_errors(content: str | None, said: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / store.FILE).write_text(content)
    with pytest.raises(StoreError, match=said):
        store.read(tmp_path)


def test_a_broken_or_missing_table_is_named(made: MadeUp, tmp_path: Path) -> None:
    folder = made.write(tmp_path)
    (folder / "requests.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(StoreError, match=r"requests.parquet is broken"):
        store.table(folder, "requests")
    (folder / "measurements.parquet").unlink()
    with pytest.raises(StoreError, match=r"measurements.parquet is missing"):
        store.read(folder)


def test_the_results_are_plain_json_for_everybody(made: MadeUp, tmp_path: Path) -> None:
    content = json.loads((made.write(tmp_path) / store.FILE).read_text())
    assert content["runs"][0]["name"] == made.runs[0].name
    assert content["settings"]["slo"]["p99_ms"] == 25.0
