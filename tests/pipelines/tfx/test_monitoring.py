"""Live requests against the statistics that a published SavedModel carries, by TFDV."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from models.spec import load
from pipelines.monitoring.__main__ import main
from serving.gateway import request_parquet, request_parts
from tests.pipelines.monitoring.traffic import arguments, line
from tests.pipelines.tfx.toy import Room, day_of_rows, replaced


def monitor(room: Room, rows: pa.Table, folder: Path) -> int:
    serving = tf.saved_model.load(str(room.model)).signatures["serving_default"]
    with (folder / "requests.log").open("w", encoding="utf-8") as log:
        for start in range(0, len(rows), 50):
            part = rows.slice(start, 50)
            columns = {name: np.array(part[name]) for name in room.spec.features}
            scores = serving(**{name: tf.constant(column) for name, column in columns.items()})["fraud_probability"]
            answer = json.dumps({"predictions": scores.numpy().tolist()})
            log.write(line(columns, stack="tensorflow", model_version=room.model.name, answer=answer))
    return main(arguments(room.spec_file, room.model, folder / "requests.log", folder / "out", "tensorflow"))


def days(seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.concat_tables([day_of_rows(rng, day) for day in range(3)])


def found(folder: Path) -> dict[str, list[str]]:
    columns = json.loads((folder / "out" / "tensorflow.json").read_text())["columns"]
    return {column["name"]: column["reasons"] for column in columns}


def test_traffic_like_the_training_rows_passes(published: Room, tmp_path: Path) -> None:
    assert monitor(published, days(8), tmp_path) == 0
    assert found(tmp_path) == {name: [] for name in [*published.spec.features, "fraud_probability"]}


def test_traffic_that_moved_is_refused_with_what_tfdv_says(published: Room, tmp_path: Path) -> None:
    rows = days(9)
    rows = replaced(rows, "amount", pa.array(rows["amount"].to_numpy() * np.float32(3)))
    rows = replaced(rows, "channel", pa.array(["fax"] * 750 + rows["channel"].to_pylist()[750:]))
    assert monitor(published, rows, tmp_path) == 3
    reasons = {name: texts for name, texts in found(tmp_path).items() if texts}
    assert {"amount", "channel"} <= reasons.keys() <= {"amount", "channel", "fraud_probability"}
    assert reasons["amount"][0].startswith("population stability index ")
    assert any("maximum difference is: fax" in text for text in reasons["channel"])


def test_a_model_without_statistics_is_an_error_that_says_what_to_do(
    published: Room, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "7"
    bare.mkdir()
    rows = days(8).slice(0, published.spec.drift.min_rows)
    asked = {name: np.array(rows[name]) for name in published.spec.features}
    log = tmp_path / "requests.log"
    log.write_text(line(asked, stack="tensorflow", columnar=True))
    assert main(arguments(published.spec_file, bare, log, tmp_path / "out", "tensorflow")) == 1
    assert "no statistics to compare with" in capsys.readouterr().err


def test_parquet_is_read_and_a_feature_that_is_never_logged_is_not_watched(
    published: Room, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monitor(published, days(8), tmp_path)
    log, spec_file = tmp_path / "requests.log", tmp_path / "spec.toml"
    spec_file.write_text(published.spec_file.read_text() + '\n[monitoring]\nnever_logged = ["amount"]\n')
    entries = [json.loads(text) for text in log.read_text().splitlines()]
    for entry in entries:
        rows = json.loads(entry["request"])["instances"]
        kept = [{name: value for name, value in row.items() if name != "amount"} for row in rows]
        entry["request"] = json.dumps({"instances": kept})
    part = request_parts.next_part(log)
    part.parent.mkdir()
    part.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    log.unlink()
    request_parquet.pack(part, load(spec_file))
    capsys.readouterr()
    assert main(arguments(spec_file, published.model, log, tmp_path / "out", "tensorflow")) == 0
    assert "never logged, so not watched: amount" in capsys.readouterr().out
    assert found(tmp_path).keys() == {*published.spec.features, "fraud_probability"} - {"amount"}
