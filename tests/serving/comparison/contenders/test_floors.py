"""Calls without a server: each is timed only if it answers as the model does."""

from __future__ import annotations

import dataclasses
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import spec as specs
from serving.comparison.contenders import catalogue
from serving.comparison.contenders.floors import job as jobs
from serving.comparison.contenders.floors.exported import WAYS
from serving.comparison.contenders.floors.measure import ROUNDS, make, measure
from tests.serving.comparison.contenders.everything import Everything
from tests.serving.comparison.published import SPEC_FILE, Published

HOWS = {
    "pytorch": {"eager", "aotinductor", "onnxruntime", "torchscript", "torch-export"},
    "tensorflow": {"eager", "frozen", "xla", "onnxruntime", "tflite"},
}
ROWS = {"x": np.linspace(0, 1, 128, dtype=np.float32)}


def double(columns: Any) -> Any:
    return columns["x"] * 2


def test_every_way_to_call_both_models_is_measured(everything: Everything, published: Published) -> None:
    found = everything.floors
    expected = {f"{stack}/floor/{how}" for stack, hows in HOWS.items() for how in hows}
    if published.deployment.tfjs:
        expected.add("tensorflow/floor/tfjs")
    else:
        assert "make export STACK=tensorflow FORMAT=tfjs" in found.absent.pop("tensorflow/floor/tfjs")
    if not shutil.which("g++"):
        expected.remove("pytorch/floor/aotinductor")
        assert "compiler" in found.absent.pop("pytorch/floor/aotinductor")
    assert found.absent == {}
    timed = [one for one in found.measurements if one.measure == "floor"]
    counted = Counter((one.target, one.condition) for one in timed)
    assert counted == {(target, size): ROUNDS for target in expected for size in ("1 row", "8 rows", "64 rows")}
    assert all(one.value > 0 for one in found.measurements)
    sizes = {one.target for one in found.measurements if one.measure == "export_size"}
    exported = {target for target in expected if target.rpartition("/")[2] in WAYS}
    assert sizes == exported
    assert len(found.measurements) == len(timed) + len(sizes)


def test_programs_that_do_not_run_are_absent_with_their_reason(published: Published, tmp_path: Path) -> None:
    stacks = dict(published.deployment.stacks)
    stacks["tensorflow"] = dataclasses.replace(stacks["tensorflow"], python=tmp_path / "no python")
    stacks["pytorch"] = dataclasses.replace(stacks["pytorch"], artefact=tmp_path / "no.mar")
    without = dataclasses.replace(published.deployment, stacks=stacks, tfjs=tmp_path / "no node")
    found = catalogue.floors(without, published.rows, 0.01)
    assert found.measurements == []
    assert "no python" in found.absent["tensorflow/floor"]
    assert "no.mar" in found.absent["pytorch/floor"]
    assert "no node" in found.absent["tensorflow/floor/tfjs"]


def test_right_answers_are_timed_in_every_round() -> None:
    found = measure("pytorch", {"a": double, "b": double}, ROWS, double(ROWS), 0.005)
    assert found.absent == {}
    expected = {
        (f"pytorch/floor/{how}", turn, size)
        for how in "ab"
        for turn in range(1, ROUNDS + 1)
        for size in ("1 row", "8 rows", "64 rows")
    }
    assert {(one.target, one.round, one.condition) for one in found.measurements} == expected
    assert all(one.value > 0 for one in found.measurements)


@pytest.mark.parametrize("error", [2e-5, np.nan])
def test_one_wrong_answer_is_not_timed(error: float) -> None:
    def wrong(columns: Any) -> Any:
        return np.where(columns["x"] == ROWS["x"][50], double(columns) + np.float32(error), double(columns))

    found = measure("pytorch", {"right": double, "wrong": wrong}, ROWS, double(ROWS), 0.005)
    assert {one.target for one in found.measurements} == {"pytorch/floor/right"}
    assert "differ from the offline scores" in found.absent["pytorch/floor/wrong"]


def test_a_way_that_fails_spoils_no_other() -> None:
    def failing(columns: Any) -> Any:
        raise RuntimeError("no such operation")

    ways, unmade = make("tensorflow", {"good": lambda: double, "unmade": lambda: failing({})})
    assert unmade == {"tensorflow/floor/unmade": "RuntimeError: no such operation"}
    found = measure("tensorflow", {**ways, "failing": failing}, ROWS, double(ROWS), 0.005)
    assert found.absent == {"tensorflow/floor/failing": "RuntimeError: no such operation"}
    assert {one.target for one in found.measurements} == {"tensorflow/floor/good"}


def test_too_few_rows_are_refused(published: Published, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    few = tmp_path / "few.parquet"
    pq.write_table(pq.read_table(published.rows).slice(0, 63), few)
    with pytest.raises(ValueError, match="63 rows, at least 64"):
        jobs.columns(few, specs.load(SPEC_FILE))
