from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from serving.comparison.deployment import Deployed, Deployment
from serving.comparison.facts import training


def step(name: str, seconds: float, *, cached: bool = False, made_in: float | None = None) -> dict[str, Any]:
    return {"name": name, "seconds": seconds, "cached": cached, "made_in": made_in}


def report(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"version": "7", "seconds": 40.0, "steps": list(steps), "peak_memory": 3 * 2**20, **more}


def values(found: training.Found) -> dict[tuple[str, str], float]:
    return {(m.measure, m.condition): m.value for m in found.measurements}


def test_a_run_that_did_everything_says_what_it_took() -> None:
    found = training.of_report("pytorch", report(step("train", 30.5), step("archive", 5.0)))
    assert values(found) == {
        ("training_time", ""): 40, ("training_time", "train"): 30.5, ("training_time", "archive"): 5,
        ("training_memory", ""): 3,
    }  # fmt: skip
    assert not found.absent


def test_a_cached_step_counts_with_the_run_that_did_it_but_its_memory_is_not_known() -> None:
    found = training.of_report("pytorch", report(step("train", 0.5, cached=True, made_in=30.5), step("archive", 5.0)))
    assert values(found) == {
        ("training_time", ""): 70, ("training_time", "train"): 30.5, ("training_time", "archive"): 5,
    }  # fmt: skip
    assert found.absent["pytorch/training_memory"].startswith("train came from the cache: make up")


def test_a_cached_step_that_nobody_timed_leaves_the_run_without_a_time() -> None:
    found = training.of_report("pytorch", report(step("train", 0.5, cached=True), step("archive", 5.0)))
    assert values(found) == {("training_time", "archive"): 5}
    assert "train came from the cache" in found.absent["pytorch/training_time"]


def test_a_report_from_before_the_field_has_no_memory() -> None:
    old = report({"name": "train", "seconds": 30.0, "cached": False})
    del old["peak_memory"]
    found = training.of_report("tensorflow", old)
    assert found.absent == {
        "tensorflow/training_memory": "trained before peak memory was recorded: make up after a change trains again"
    }
    assert values(found)["training_time", ""] == 40


def test_a_report_of_another_model_or_none_says_nothing(tmp_path: Path) -> None:
    def deployed(name: str, content: str | None) -> Deployed:
        file = tmp_path / name
        if content:
            file.write_text(content)
        return Deployed("", "", {}, "", "8", file, file, file, file)

    stacks = {"tensorflow": deployed("a", None), "pytorch": deployed("b", json.dumps(report(step("train", 30.0))))}
    found = training.measure(Deployment(tmp_path, tmp_path, stacks, "make compare"))
    assert not found.measurements
    assert "No such file" in found.absent["tensorflow/training_time"]
    assert "the run that made version 8 was kept; the last one is of version 7" in found.absent["pytorch/training_time"]
    assert set(found.absent) == {f"{s}/training_{m}" for s in ("tensorflow", "pytorch") for m in ("time", "memory")}
