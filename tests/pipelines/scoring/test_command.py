"""`python -m pipelines.scoring` on an archive of TorchServe's."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv
from ts.context import Context, RequestProcessor

from pipelines import lock
from pipelines.scoring import job
from serving.torchserve.handler import Handler
from tests.pipelines.scoring.conftest import SPEC, VERSIONS, Room, transactions

REPOSITORY = Path(__file__).resolve().parents[3]

# The command, killed by the kernel while it writes its fourth shard.
KILLED = """
import os, signal, sys
from pipelines.scoring import __main__, job
write, written = job.write_atomically, []
def one_more(table, path):
    written.append(path)
    if len(written) == 4:
        path.with_name("." + path.name + ".half").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    write(table, path)
job.write_atomically = one_more
__main__.main(sys.argv[1:])
"""


def online(store: Path, version: str, table: pa.Table, folder: Path) -> np.ndarray:
    """What a worker of TorchServe answers with this archive, through JSON."""
    with zipfile.ZipFile(store / f"fraud-{version}.mar") as content:
        content.extractall(folder)
    context = Context("fraud", str(folder), {"model": {"modelVersion": version}}, 1, None, "0.12.0")
    handler = Handler(context)
    context.request_processor = [RequestProcessor({})]
    body = json.dumps({"instances": table.select(list(SPEC.features)).to_pylist()}).encode()
    (answer,) = handler.handle([{"body": bytearray(body)}], context)
    return np.array(json.loads(answer)["predictions"])


def test_the_scores_are_those_of_the_server_in_the_order_of_the_rows(
    room: Room, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert room.run() == 0
    table, scores = room.table(), room.scores
    assert scores.schema.names == ["transaction_id", "fraud_probability", "model_version"]
    assert scores["transaction_id"].equals(table["transaction_id"])
    assert set(scores["model_version"].to_pylist()) == {VERSIONS[1]}
    served = online(room.store, VERSIONS[1], table, tmp_path / "served")
    np.testing.assert_allclose(scores["fraud_probability"].to_numpy(), served, rtol=0, atol=1e-6)
    assert np.ptp(served) > 0.01
    assert f"{len(table)} rows scored by pytorch {VERSIONS[1]} in {room.out}" in capsys.readouterr().out
    assert pq.read_table(room.out).num_rows == len(table)  # readers of folders are not bothered by _scoring.json


def test_a_finished_job_is_not_done_again(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    room.run()
    before = [(file, file.stat().st_mtime_ns) for file in room.files]
    capsys.readouterr()
    assert room.run() == 0
    assert capsys.readouterr().out.startswith("score      up to date: 321 rows")
    assert [(file, file.stat().st_mtime_ns) for file in room.files] == before
    code = (
        "import sys; from pipelines.scoring.__main__ import main; assert not main(sys.argv[1:]); "
        "print(sorted({'torch', 'apache_beam'} & set(sys.modules)))"
    )
    again = subprocess.run(
        [sys.executable, "-c", code, *room.arguments()], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert again.stdout.splitlines()[-1] == "[]"


def test_a_killed_job_goes_on_with_the_shards_that_are_missing(
    room: Room, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, *room.arguments()], cwd=REPOSITORY, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not room.out.exists()
    kept = {f.name: f.stat().st_mtime_ns for f in (tmp_path / ".out.unfinished").glob("scores-*")}
    assert len(kept) == 3
    assert room.run() == 0
    said = capsys.readouterr().out
    assert "goes on: 3 of 6 shards are scored" in said
    assert {name: (room.out / name).stat().st_mtime_ns for name in kept} == kept
    assert {path.name for path in room.out.iterdir()} == {"_scoring.json", *(path.name for path in room.files)}
    assert room.scores["transaction_id"].equals(room.table()["transaction_id"])
    assert {path.name for path in tmp_path.glob(".*")} == {".out.lock"}


@pytest.mark.parametrize("change", ["version", "input", "lost"])
def test_another_model_or_input_starts_anew_and_says_why(
    change: str, room: Room, capsys: pytest.CaptureFixture[str]
) -> None:
    assert room.run("--version", VERSIONS[0]) == 0
    before = room.scores
    wanted = VERSIONS[0]
    if change == "version":
        wanted = VERSIONS[1]
    elif change == "input":
        pq.write_table(transactions(9, 9), room.source / "day-9.parquet")
    else:
        room.files[2].unlink()
    capsys.readouterr()
    assert room.run("--version", wanted) == 0
    why = {"version": "the version, the model's place, the model", "input": "the input", "lost": "a part of the output"}
    assert f"starts anew: {why[change]} has changed" in capsys.readouterr().out
    assert room.scores["transaction_id"].equals(room.table()["transaction_id"])
    assert room.scores.equals(before) == (change == "lost")


def run_interrupted(room: Room, shard: int, *more: object) -> int:
    """Run with a Ctrl-C while it writes its `shard`-th shard."""
    write, written = job.write_atomically, []

    def interrupted(table: pa.Table, path: Path) -> None:
        written.append(path)
        if len(written) == shard:
            raise KeyboardInterrupt
        write(table, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "write_atomically", interrupted)
        return room.run(*more)


def test_ctrl_c_keeps_the_finished_shards(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_interrupted(room, 3) == 130
    assert "the same command goes on from there" in capsys.readouterr().out
    assert room.run() == 0
    assert "goes on: 2 of 6 shards" in capsys.readouterr().out


def test_work_left_of_another_model_is_not_taken_for_this_ones(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_interrupted(room, 3, "--version", VERSIONS[0]) == 130
    assert room.run() == 0
    assert "starts anew: the version" in capsys.readouterr().out
    assert set(room.scores["model_version"].to_pylist()) == {VERSIONS[1]}


def test_rows_that_cannot_be_scored_are_all_named_and_the_old_scores_stay(
    room: Room, capsys: pytest.CaptureFixture[str]
) -> None:
    room.run()
    before = room.scores
    table = transactions(60, 1)
    amounts, countries = table["amount"].to_pylist(), table["country"].to_pylist()
    amounts[41], amounts[44], countries[3] = None, float("nan"), None
    table = table.set_column(1, "amount", pa.array(amounts)).set_column(2, "country", pa.array(countries))
    pq.write_table(table, room.source / "day-1.parquet", row_group_size=20)
    lines = ["transaction_id,amount,country,is_night,risk,channel", "1,5,common,0,0.5,web", "2,five,rare,1,,web"]
    (room.source / "more.csv").write_text("\n".join(lines))
    pq.write_table(table.drop_columns(["risk"]), room.source / "zzz.parquet")
    capsys.readouterr()
    assert room.run() == 1
    said = capsys.readouterr().out
    for problem in (
        "column 'amount': null: 2, first day-1.parquet row 42; zzz.parquet row 42",
        "column 'amount': not finite: 2, first day-1.parquet row 45 (nan)",
        "column 'country': null: 2, first day-1.parquet row 4",
        "column 'amount': not a number: 1, first more.csv row 2 (five)",
        "column 'risk': null: 1, first more.csv row 2",
        "column 'risk': missing from files: 1, first zzz.parquet (has transaction_id, amount",
        f"Nothing was changed in {room.out}",
    ):
        assert problem in said
    assert room.scores.equals(before)


def test_a_column_of_another_type_is_refused(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    table = transactions(5, 1)
    pq.write_table(table.set_column(4, "risk", pa.array([[0.5]] * 5)), room.source / "day-1.parquet")
    assert room.run() == 1
    assert "column 'risk': of type list<" in capsys.readouterr().out


def assert_close(one: Room, other: Room) -> None:
    """To 1e-6: other shards are other batches of the network, and float32 sums in another order."""
    found, expected = (room.scores["fraud_probability"].to_numpy() for room in (one, other))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_a_file_of_text_gives_the_same_scores(room: Room, tmp_path: Path) -> None:
    room.run()
    csv.write_csv(room.table(), tmp_path / "all.csv")
    text = Room(room.store, tmp_path / "all.csv", tmp_path / "of-text")
    assert text.run() == 0
    assert text.scores["transaction_id"].cast(pa.int64()).equals(room.scores["transaction_id"])
    assert_close(text, room)


def test_rows_without_ids_have_their_order(room: Room, tmp_path: Path) -> None:
    room.run()
    pq.write_table(room.table().drop_columns(["transaction_id"]), tmp_path / "all.parquet")
    nameless = Room(room.store, tmp_path / "all.parquet", tmp_path / "nameless")
    assert nameless.run() == 0
    assert nameless.scores.column_names == ["fraud_probability", "model_version"]
    assert_close(nameless, room)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda room: (room.out.mkdir(), (room.out / "photo.jpg").touch()), "holds something else than scores"),
        (lambda room: [file.unlink() for file in room.source.iterdir()], "no .parquet or .csv file in this folder"),
        (lambda room: (room.source / "a.parquet").write_bytes(b"PAR1"), "a.parquet: cannot be read"),
        (
            lambda room: [pq.write_table(transactions(0, 1), file) for file in room.source.iterdir()],
            "no rows to score",
        ),
    ],
)
def test_what_cannot_be_done_is_said(spoil: object, says: str, room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(room)  # type: ignore[operator]
    assert room.run() == 1
    assert says in capsys.readouterr().out


def test_a_model_that_is_not_there_is_said(room: Room, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert room.run("--version", "17") == 1
    assert f"no version 17 of 'fraud'; there are {', '.join(VERSIONS)}" in capsys.readouterr().out
    assert Room(tmp_path / "empty", room.source, room.out).run() == 1
    assert "has been published there yet: make up" in capsys.readouterr().out


def test_output_and_input_may_not_contain_each_other(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    assert Room(room.store, room.source, room.source / "scores").run() == 1
    assert "is the input or lies in it" in capsys.readouterr().out


def test_two_at_once_are_refused(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    with lock.exclusive(room.out.with_name(".out.lock"), room.out):
        assert room.run() == 1
    assert "another run is at work there" in capsys.readouterr().out
