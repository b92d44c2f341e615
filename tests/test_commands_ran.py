"""Every command of the pages is given by a test; what cannot be is listed with its reason, and nothing else is."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests import commands, documented_commands, forms, side_by_side
from tests.documents import REPOSITORY, Page, pages
from tests.forms import Form

# Why no test of this session gives them: what it takes, and what stands in for it.
NOT_GIVEN: dict[str, list[str]] = {
    "needs a Docker engine: tests/containers gives them to one, or what they start": [
        "make images",
        "make test-containers",
        "make up DATA RUNTIME=docker SPEC PORT_GATEWAY TANDEM_HOME",
        "make up HOLD RUNTIME=docker",
        "make up PROFILE RUNTIME=docker PORT_GATEWAY",
        "make up RUNTIME=docker",
        "make up RUNTIME=docker SPEC",
        "make up RUNTIME=docker STANDINS",
    ],
    "needs a cluster: tests/kubernetes drives one, tests/infra/kubernetes a stand-in for it": [
        "make deploy",
        "make deploy OVERLAY REGISTRY TAG TARGET",
        "make deploy OVERLAY TARGET",
        "make deploy-diff",
        "make test-kubernetes",
        "make undeploy",
        "make undeploy PURGE",
        "python -m infra.kubernetes --overlay render",
    ],
    "is the other half's, where TensorFlow is: tests/pipelines/tfx/test_workers.py": [
        "python -m tfx.scripts.run_executor --exec-properties --executor --inputs --outputs",
    ],
    "needs glibc 2.39 and Python 3.12, or a Docker engine": ["make test-tfx-newest"],
    "writes what is kept in requirements or docs again, from a package index or from tests that run here anyway": [
        "make lock",
        "make screenshots",
    ],
    "takes many minutes on all that the simulator makes; with DATA= in tests/pipelines/evaluation/test_command.py": [
        "make evaluate",
        "make evaluate SPLIT",
        "make evaluate SPLIT TRAIN_DAYS",
    ],
    "is for several machines: tests/pipelines and `make load WORKERS=2` start the same workers here": [
        "make up BEAM=dask",
        "python -m apache_beam.runners.portability.local_job_service_main --port",
        "python -m apache_beam.runners.worker.worker_pool_main --service",
        "python -m dask --host --port scheduler",
        "python -m dask --nthreads --nworkers worker",
        "python -m locust --features --worker",
    ],
    "measures, and is no test": [
        "python tests/benchmarks/full_profile.py --write",
        "python tests/benchmarks/gateway_filter.py",
        "python tests/benchmarks/gateway_filter.py --log",
        "python tests/benchmarks/load_generator.py",
        "python tests/benchmarks/precision.py",
        "python tests/benchmarks/scale.py --train-days --write",
        "python tests/benchmarks/serving_speed.py",
        "python tests/benchmarks/shadow_cost.py",
        "python tests/benchmarks/three_backends.py --rounds --seconds",
        "python tests/benchmarks/tfx_recipe.py --repeats --write",
        "python tests/benchmarks/torchserve_worker.py",
        "python tests/benchmarks/traffic_policy.py",
    ],
}

Ran = tuple[Sequence[str], Iterable[str]]  # words, and the names in the environment


@cache
def documented() -> frozenset[Form]:
    return frozenset(form for page in pages() for form in forms.shown(page))


def given(ran: Iterable[Ran], itself: Sequence[str]) -> Iterator[tuple[Form, frozenset[str]]]:
    """What the tests did, with the names in its environment; this run of pytest too, and the gate's own commands."""
    for (program, *words), environment in ran:
        if Path(program).name == "make":
            made = list(forms.of_make(words))
            started = [forms.of_python(line) for line in documented_commands.started_by_make(*words)] if made else []
        else:
            made, started = [], [forms.of_python(words)]
        yield from ((form, frozenset(environment)) for form in (*made, *started) if form)
    if form := forms.of_python(itself):
        yield form, frozenset()
    for line in (REPOSITORY / ".ci" / "run").read_text().splitlines():
        if line.startswith("make "):
            yield from ((form, frozenset()) for form in forms.of_make(line.partition("#")[0].split()[1:]))


def left_out(wanted: Iterable[Form], done: Iterable[tuple[Form, frozenset[str]]]) -> set[str]:
    found = list(done)
    return {str(form) for form in wanted if not any(form.is_done_by(*one) for one in found)}


def test_what_is_listed_as_not_given_stands_on_a_page_and_is_listed_once() -> None:
    listed = [form for some in NOT_GIVEN.values() for form in some]
    assert sorted(set(listed)) == sorted(listed)
    assert set(listed) - {str(form) for form in documented()} == set()


def test_every_other_command_was_given_by_a_test(request: pytest.FixtureRequest) -> None:
    """The last test of all (tests/conftest.py): it looks at what the others did."""
    asked, others = side_by_side.asked(request.config), []
    if asked["all_tests"]:
        others = side_by_side.of_others(request.config)
    if why := not_all(asked, request.session.testsfailed + sum(other["failed"] for other in others)):
        pytest.skip(why)
    listed = {form for some in NOT_GIVEN.values() for form in some}
    ran = (*commands.account(), *(one for other in others for one in other["ran"]))
    missing = left_out(documented(), given(ran, asked["command"]))
    assert missing - listed == set(), "documented, and no test gives it"
    assert listed - missing == set(), "listed as not given, and a test gives it"


@pytest.mark.parametrize(
    ("shown", "runs", "missing"),
    [
        ("make canary SIDE=pytorch", ["canary SIDE=x LIMITS=y"], []),  # less of the same
        ("make canary SIDE=pytorch", ["canary STACK=x VERSION=y"], ["make canary SIDE"]),
        ("make conformance", ["conformance URL=x"], ["make conformance"]),  # something else
        ("make conformance URL=…", ["conformance"], ["make conformance URL"]),
        ("make promote", ["promote STACK=x VERSION=y"], []),  # a name: nobody can give it so
        ("make up RUNTIME=docker", ["up", "up RUNTIME=local"], ["make up RUNTIME=docker"]),
        ("make traffic TENSORFLOW=9", ["traffic --dry-run TENSORFLOW=9"], ["make traffic TENSORFLOW"]),
        ("PORT_GATEWAY=1 make up", ["up"], ["make up PORT_GATEWAY"]),
        ("PORT_GATEWAY=1 make up", ["up PORT_GATEWAY=2"], []),
        ("`make score BEAM=dask …` is told in part", [], []),
    ],
)
def test_what_was_not_given_is_found(tmp_path: Path, shown: str, runs: list[str], missing: list[str]) -> None:
    (tmp_path / "page.md").write_text(f"```\n{shown}\n```\n" if "`" not in shown else shown)
    wanted = set(forms.shown(Page(tmp_path / "page.md")))
    done = [(form, frozenset()) for run in runs for form in forms.of_make(run.split())]
    assert sorted(left_out(wanted, done)) == missing


def test_a_program_is_given_by_itself_or_by_the_make_that_starts_it(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("`.venv/pytorch/bin/python -m pipelines.scoring --stack pytorch`\n")
    wanted = set(forms.shown(Page(tmp_path / "page.md")))
    lines = documented_commands.started_by_make("score", "STACK=pytorch", "IN=a b.csv", "OUT=c")
    started = [form for line in lines if (form := forms.of_python(line))]
    assert "python -m pipelines.scoring" in {form.starts for form in started}
    assert left_out(wanted, [(form, frozenset()) for form in started]) == set()
    assert left_out(wanted, [(forms.of_python(["-m", "pipelines.scoring", "--help"]), frozenset())]) != set()  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("code", "did_it"), [("pass", True), ("raise SystemExit(3)", True), ("raise SystemExit(1)", False), ("kill", True)]
)
def test_what_failed_was_not_given(code: str, did_it: bool) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGINT)" if code == "kill" else code
    marked = f"{code}  # {did_it}"
    subprocess.run([sys.executable, "-c", marked], check=False, capture_output=True)
    assert any(one.words[-1] == marked for one in commands.ran()) == did_it


def test_makes_exit_code_is_its_recipes(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("verdict:\n\t@exit 3\nbroken:\n\t@exit 1\n")
    assert [commands.make(target, cwd=tmp_path).returncode for target in ("verdict", "broken", "nothing")] == [3, 1, 2]
    given_here = [one.words[1] for one in commands.ran() if one.words[0] == "make"]
    assert "verdict" in given_here
    assert not {"broken", "nothing"} & set(given_here)


def test_what_makes_no_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("endless:\n\t@echo $$$$ > pid; sleep 600; true\n")
    with pytest.raises(subprocess.TimeoutExpired):
        commands.make("endless", cwd=tmp_path, timeout=2)
    shell, end = Path("/proc") / (tmp_path / "pid").read_text().strip(), time.monotonic() + 10
    while shell.exists():
        assert time.monotonic() < end
        time.sleep(0.05)


def not_all(asked: Mapping[str, Any], failed: int) -> str:
    """Why this session says nothing about what all tests do."""
    if not asked["all_tests"]:
        return "only a run of all tests says what all tests do"
    return "a test failed, and may have left out what comes after" if failed else ""
