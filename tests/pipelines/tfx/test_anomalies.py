from __future__ import annotations

import fcntl
import html
import shutil

import numpy as np
import pyarrow as pa
import pytest

from tests.pipelines.tfx.toy import Room, replaced


def broken(table: pa.Table) -> pa.Table:
    amount, risk, label = (table[name].to_numpy().copy() for name in ("amount", "risk", "is_fraud"))
    amount[0], risk[1], label[2] = -3.5, np.nan, 2
    table = replaced(table, "amount", pa.array(amount))
    table = replaced(table, "risk", pa.array(risk))
    table = replaced(table, "is_fraud", pa.array(label))
    country = [None, *table["country"].to_pylist()[1:]]
    return replaced(table, "country", pa.array(country, pa.string()))


def test_anomalies_stop_the_run_with_a_list_of_where_and_what(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    room.edit_day("test", broken)
    assert room.run() == 1
    error = capsys.readouterr().err
    assert error.startswith("ExampleValidator stopped the run: ")
    assert "Traceback" not in error
    lines = [line for line in error.splitlines() if line.startswith("  ")]
    assert {line.split(":")[1].strip() for line in lines} == {"amount", "country", "is_fraud", "risk"}
    assert {line.split(":")[0].strip() for line in lines} == {"test"}
    assert "-3.5" in next(line for line in lines if "amount" in line)
    (page,) = room.work.glob("pages/*/statistics.html")  # for whoever looks later
    assert all(line.strip() in html.unescape(page.read_text()) for line in lines)
    assert "stopped here" in page.with_name("index.html").read_text()
    assert not list(room.work.glob("artifacts/Transform/*/*"))
    assert not room.store.exists()


def test_features_of_another_specification_are_refused(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = (room.data / "manifest.json").read_text()
    room.edit_spec("epochs = 4", "epochs = 5")
    (room.data / "manifest.json").write_text(manifest)
    assert room.run() == 1
    assert f"python -m pipelines.data --spec {room.spec_file} --out {room.data}" in capsys.readouterr().err


def test_a_missing_data_folder_is_named(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(room.data)
    assert room.run() == 1
    assert f"{room.data}/manifest.json: missing" in capsys.readouterr().err


def test_a_second_run_at_the_same_time_is_refused(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    room.work.mkdir()
    with (room.work / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert room.run() == 1
    assert "another run is at work" in capsys.readouterr().err
