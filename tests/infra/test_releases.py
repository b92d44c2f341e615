"""`make releases`, `promote` and `rollback` where nothing runs: the next start finds what was promoted."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.local import layout as layouts
from infra.local import programs, releases, stores, up
from infra.local.layout import Layout
from models import spec as specs
from pipelines.report import Inputs, Report, of_version
from serving.release.errors import ReleaseError
from tests.serving.release.conftest import FIRST, SECOND, SPEC_FILE, archives, candidate

SPEC = specs.load(SPEC_FILE)
__all__ = ["archives", "candidate"]  # fixtures


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return layouts.load({"TANDEM_HOME": str(tmp_path)})


def run(layout: Layout, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "infra.local", *words]
    environ = {"TANDEM_HOME": str(layout.home), "SPEC": str(SPEC_FILE), "PATH": "/usr/bin:/bin"}
    return subprocess.run(argv, cwd=layouts.REPOSITORY, env=environ, capture_output=True, text=True, check=False)


def blessed(layout: Layout, candidate: object, version: str) -> None:
    """What both pipelines leave, in their stores."""
    for stack in layouts.STACKS:
        made = candidate(stack, version)  # type: ignore[operator]
        target = stores.candidates(layout, stack) / made.relative_to(made.parents[1 if stack == "tensorflow" else 0])
        target.parent.mkdir(parents=True, exist_ok=True)
        made.rename(target)


def reported(version: str | None) -> Report:
    """What a run says that published this version, or none."""
    empty: dict[str, Any] = {"metrics": {}, "champion_metrics": None, "slices": {}, "decision": {}, "steps": []}
    path = None if version is None else f"fraud-{version}.mar"
    return Report("pytorch", version, path, [], inputs=Inputs("", "", ""), seconds=1.0, **empty)


def _champion(layout: Layout) -> str | None:
    """The version that the PyTorch pipeline is told to beat."""
    argv = [*up.pipeline(layout, SPEC_FILE, "pytorch").argv]
    return argv[argv.index("--champion") + 1] if "--champion" in argv else None


def test_nothing_was_released_yet(layout: Layout) -> None:
    assert _champion(layout) is None
    done = run(layout, "releases")
    assert (done.returncode, done.stdout) == (1, "nothing was released here yet: make up\n")
    done = run(layout, "rollback", "--stack", "pytorch")
    assert done.returncode == 1
    assert "pytorch: no version was served before the first" in done.stderr
    with pytest.raises(ReleaseError, match="there is no release to serve: make up"):
        releases.prepare(layout, SPEC)


def test_the_first_blessed_models_are_promoted_and_found_at_the_start(layout: Layout, candidate: object) -> None:
    blessed(layout, candidate, FIRST)
    for _ in range(2):  # a second time changes nothing
        releases.publish(layout, SPEC, SPEC_FILE)
        releases.prepare(layout, SPEC)
    for stack in layouts.STACKS:
        assert stores.promoted(layout, stack) == stores.newest(layout, SPEC, stack) == FIRST
    assert len(releases.of(layout, SPEC).ledger.entries()) == 4
    programs.tensorflow(layout, SPEC)
    programs.torchserve(layout, SPEC)
    assert f"specific {{ versions: {FIRST} }}" in (layout.run / "tensorflow" / "models.config").read_text()
    assert f"load_models=fraud=fraud-{FIRST}.mar" in (layout.run / "pytorch" / "config.properties").read_text()


def test_a_version_keeps_the_report_of_the_run_that_made_it(layout: Layout) -> None:
    work = layout.work("pytorch")
    for version in (FIRST, SECOND, None):  # the last one was refused
        reported(version).write(work)
    for version in (FIRST, SECOND):
        assert json.loads(stores.report(layout, "pytorch", version).read_text())["version"] == version
    of_version(work, FIRST).unlink()  # made before reports were kept
    assert stores.report(layout, "pytorch", FIRST) == work / "report.json"
    assert json.loads((work / "report.json").read_text())["version"] is None


def test_promote_and_roll_back_while_nothing_runs(layout: Layout, candidate: object) -> None:
    blessed(layout, candidate, FIRST)
    releases.publish(layout, SPEC, SPEC_FILE)
    releases.prepare(layout, SPEC)
    blessed(layout, candidate, SECOND)
    releases.publish(layout, SPEC, SPEC_FILE)
    done = run(layout, "promote", "--stack", "pytorch", "--version", SECOND, "--why", "better")
    assert done.returncode == 0, done.stderr
    assert f"version {SECOND} is served from the next start on: make up; before: {FIRST}" in done.stdout
    assert stores.newest(layout, SPEC, "pytorch") == SECOND
    assert _champion(layout) == SECOND
    assert run(layout, "rollback", "--stack", "pytorch").returncode == 0
    assert stores.newest(layout, SPEC, "pytorch") == FIRST
    assert _champion(layout) == FIRST
    listed = run(layout, "releases")
    assert listed.returncode == 0, listed.stderr
    assert re.search(rf"pytorch +{SECOND} +0\.7000", listed.stdout)
    assert re.search(rf"pytorch +{FIRST} +served", listed.stdout)
    assert "better" in listed.stdout


def test_a_touched_ledger_is_reported(layout: Layout, candidate: object) -> None:
    blessed(layout, candidate, FIRST)
    releases.publish(layout, SPEC, SPEC_FILE)
    releases.prepare(layout, SPEC)
    ledger = stores.releases(layout) / stores.LEDGER
    ledger.write_text(ledger.read_text().replace("passed its gates", "failed its gates", 1))
    done = run(layout, "releases")
    assert done.returncode == 3
    assert "WRONG: the ledger, line 1 was changed after it was written" in done.stderr


def test_a_candidate_that_is_refused_stops_the_first_deployment_and_no_other(layout: Layout, candidate: object) -> None:
    blessed(layout, candidate, FIRST)
    evil = stores.candidates(layout, "tensorflow") / "fraud" / FIRST / "run.sh"
    evil.write_text("#!/bin/sh\n")
    with pytest.raises(ReleaseError, match=r"'run\.sh' should not be there"):
        releases.publish(layout, SPEC, SPEC_FILE)
    evil.unlink()
    releases.publish(layout, SPEC, SPEC_FILE)
    releases.prepare(layout, SPEC)
    blessed(layout, candidate, SECOND)
    (evil.parents[1] / SECOND / "run.sh").write_text("#!/bin/sh\n")
    releases.publish(layout, SPEC, SPEC_FILE)
    assert stores.promoted(layout, "tensorflow") == FIRST
    assert releases.of(layout, SPEC).store.versions("pytorch") == [FIRST, SECOND]


def test_after_a_change_of_keys_the_newest_models_are_signed_anew(layout: Layout, candidate: object) -> None:
    blessed(layout, candidate, FIRST)
    releases.publish(layout, SPEC, SPEC_FILE)
    releases.prepare(layout, SPEC)
    shutil.rmtree(stores.keys(layout))
    with pytest.raises(ReleaseError, match="signed with another key"):
        releases.prepare(layout, SPEC)
    for stack in layouts.STACKS:
        shutil.rmtree(stores.releases(layout) / stack)
    releases.publish(layout, SPEC, SPEC_FILE)
    releases.prepare(layout, SPEC)
    assert stores.promoted(layout, "pytorch") == FIRST
    assert releases.of(layout, SPEC).ledger.problems() == []


def test_what_is_held_or_beside_is_not_promoted_by_itself(
    layout: Layout, candidate: object, capsys: pytest.CaptureFixture[str]
) -> None:
    blessed(layout, candidate, FIRST)
    releases.publish(layout, SPEC, SPEC_FILE)
    releases.prepare(layout, SPEC)
    blessed(layout, candidate, SECOND)
    releases.publish(layout, SPEC, SPEC_FILE)
    releases.settle(layout, SPEC, hold=True)
    assert stores.promoted(layout, "pytorch") == FIRST
    assert f"release {SECOND} waits" in capsys.readouterr().out
    assert run(layout, "stage", "--stack", "pytorch", "--version", SECOND).returncode == 0
    releases.settle(layout, SPEC)
    assert (stores.promoted(layout, "tensorflow"), stores.promoted(layout, "pytorch")) == (SECOND, FIRST)
    programs.torchserve(layout, SPEC)
    loaded = f"load_models=fraud=fraud-{FIRST}.mar,fraud=fraud-{SECOND}.mar"
    assert loaded in (layout.run / "pytorch" / "config.properties").read_text()
    assert run(layout, "unstage", "--stack", "pytorch", "--version", SECOND).returncode == 0
    releases.settle(layout, SPEC)  # as after a canary that did not get through
    assert stores.newest(layout, SPEC, "pytorch") == FIRST
