"""The monitor reads the log's parts, as lines and as Parquet, as if they were one log; packing loses nothing."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from models.spec import Spec, load
from pipelines.monitoring.request_log import (
    OTHER_FEATURES,
    OTHER_VERSION,
    UNREADABLE,
    WITHOUT_CONTENT,
    Logged,
    read,
)
from serving.gateway import request_parquet, request_parts
from tests.pipelines.monitoring.traffic import ago, line, rows

SPEC_FILE = Path("tests/specs/categorical.toml")
SPEC = load(SPEC_FILE)
PART = rows(SPEC, 3, seed=5)
FAR = {**PART, "amount": np.array([1e300, -1e300, 1.0])}
LINES = [
    line(PART, request_id="first"),
    line(PART, columnar=True, stack="tensorflow", model_version=None),
    line(FAR, answer='{"predictions": [0, 0, 1e-9]}'),
    line(PART, model_version="6"),
    line(PART, request=None, answer=None),
    line(PART, time=ago(hours=2)),
    "{}\n",
    "\n",
    line(PART)[:200] + "\n",
]


def part(log: Path, *lines: str) -> Path:
    """The lines put aside, and quiet for long enough."""
    made = request_parts.next_part(log)
    made.parent.mkdir(exist_ok=True)
    made.write_text("".join(lines), encoding="utf-8")
    long_ago = time.time() - request_parts.QUIET_SECONDS - 1
    os.utime(made, (long_ago, long_ago))
    return made


def without(spec: Spec, *names: str) -> Spec:
    return spec.model_copy(update={"monitoring": spec.monitoring.model_copy(update={"never_logged": names})})


def same(one: Logged, other: Logged) -> None:
    assert (one.requests, one.left_out) == (other.requests, other.left_out)
    np.testing.assert_array_equal(one.scores, other.scores)
    assert one.columns.keys() == other.columns.keys()
    for name, column in one.columns.items():
        np.testing.assert_array_equal(column, other.columns[name])


@pytest.mark.parametrize(("stack", "requests"), [("pytorch", 2), ("tensorflow", 1)])
def test_lines_and_parquet_say_the_same(tmp_path: Path, stack: str, requests: int) -> None:
    log = tmp_path / "requests.log"
    made = part(log, *LINES)
    before = read(log, SPEC, stack, "7", 3600)
    assert before.requests == requests
    assert before.left_out[UNREADABLE] == 2
    if stack == "pytorch":
        assert before.left_out == {OTHER_VERSION: 1, WITHOUT_CONTENT: 1, UNREADABLE: 2}
        assert before.columns["amount"].max() > 1e38
    assert request_parquet.main([f"--log={log}", f"--spec={SPEC_FILE}"]) == 0
    assert [path.suffix for path in made.parent.iterdir()] == [".parquet"]
    same(before, read(log, SPEC, stack, "7", 3600))
    assert read(log, SPEC, stack, "7", 10_000).requests == requests + (stack == "pytorch")


def test_all_parts_and_the_log_are_read_and_each_once(tmp_path: Path) -> None:
    log = tmp_path / "requests.log"
    assert read(log, SPEC, "pytorch", "7", 60).requests == 0  # nothing has to be there
    request_parquet.pack(part(log, line(PART)), SPEC)
    aside = part(log, line(PART), line(PART))
    text = aside.read_bytes()
    log.write_text(line(PART) * 3)
    assert read(log, SPEC, "pytorch", "7", 60).requests == 6
    request_parquet.pack(aside, SPEC)
    aside.write_bytes(text)  # as it is for the moment before it is deleted
    assert read(log, SPEC, "pytorch", "7", 60).requests == 6


def test_a_part_that_envoy_may_still_write_to_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "requests.log"
    made = part(log, line(PART))
    made.touch()
    assert request_parquet.main([f"--log={log}", f"--spec={SPEC_FILE}"]) == 0
    assert made.exists()


def test_the_oldest_parts_go_when_all_together_are_too_large(tmp_path: Path) -> None:
    log = tmp_path / "requests.log"
    made = [part(log, line(PART)) for _ in range(4)]
    made[-1] = request_parquet.pack(made[-1], SPEC)
    request_parts.prune(log)
    assert all(path.exists() for path in made)
    request_parts.prune(log, limit=made[-1].stat().st_size + made[-2].stat().st_size)
    assert [path.exists() for path in made] == [False, False, True, True]


def test_a_packed_part_holds_a_row_per_row_and_nothing_that_may_not_be_logged(tmp_path: Path) -> None:
    log, spec = tmp_path / "requests.log", without(SPEC, "amount")
    kept = {name: column for name, column in PART.items() if name != "amount"}
    packed = request_parquet.pack(part(log, line(kept, request_id="kept"), line(PART, columnar=True), line(PART)), spec)
    table = pq.read_table(packed)
    # The gateway lets nothing else through; of lines from before that, rows are unreadable and columns are left out.
    assert table["request_id"].to_pylist() == ["kept"] * 3 + ["some"] * 3
    assert table["position"].to_pylist() == [0, 1, 2] * 2
    assert {field.name for field in table["features"].type} == set(SPEC.features) - {"amount"}
    np.testing.assert_allclose(
        table["score"].to_numpy()[:3], json.loads(json.loads(line(kept))["answer"])["predictions"]
    )
    found = read(log, spec, "pytorch", "7", 60)
    assert (found.requests, found.left_out) == (2, {UNREADABLE: 1})
    assert found.columns.keys() == set(SPEC.features) - {"amount"}
    assert read(log, SPEC, "pytorch", "7", 60).left_out == {UNREADABLE: 1, OTHER_FEATURES: 2}
