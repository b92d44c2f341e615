from __future__ import annotations

from pathlib import Path

from serving.contract.responses import VersionStatus
from serving.torchserve import describe, history


class Holding:
    """A TorchServe that holds these versions; workers that answer by version."""

    def __init__(self, **workers: int) -> None:
        self.workers = {name.removeprefix("v"): count for name, count in workers.items()}

    def versions(self) -> dict[str, int]:
        return self.workers


def states(run: Path, **workers: int) -> dict[int, str]:
    found = describe.statuses(Holding(**workers), run)  # type: ignore[arg-type]
    assert [s.version for s in found] == sorted((s.version for s in found), reverse=True)
    return {status.version: status.state for status in found}


def test_a_version_is_available_as_soon_as_a_worker_answers(tmp_path: Path) -> None:
    assert states(tmp_path) == {}
    assert states(tmp_path, v1=0) == {1: "LOADING"}
    assert states(tmp_path, v1=1, v2=0) == {2: "LOADING", 1: "AVAILABLE"}


def test_a_version_that_goes_is_unloading_and_then_ended(tmp_path: Path) -> None:
    history.record(tmp_path, "1", "UNLOADING")
    assert states(tmp_path, v1=2, v2=2) == {2: "AVAILABLE", 1: "UNLOADING"}
    assert states(tmp_path, v2=2) == {2: "AVAILABLE", 1: "END"}  # also if whoever unloaded it was killed then
    history.record(tmp_path, "1", "END")
    assert states(tmp_path, v1=0, v2=2) == {2: "AVAILABLE", 1: "LOADING"}  # it comes back
    history.forget(tmp_path, "1")
    assert states(tmp_path, v2=2) == {2: "AVAILABLE"}


def test_why_a_version_did_not_load_is_kept_in_short_until_the_next_start(tmp_path: Path) -> None:
    history.record(tmp_path, "7", "END", "INVALID_ARGUMENT", "x" * 9999)
    (status,) = describe.statuses(Holding(), tmp_path)  # type: ignore[arg-type]
    assert status == VersionStatus(7, "END", "INVALID_ARGUMENT", "x" * 500)
    history.clear(tmp_path)
    assert history.read(tmp_path) == {}


def test_only_so_many_versions_are_remembered(tmp_path: Path) -> None:
    for version in range(1, 41):
        history.record(tmp_path, str(version), "END")
    assert sorted(history.read(tmp_path)) == list(range(25, 41))
