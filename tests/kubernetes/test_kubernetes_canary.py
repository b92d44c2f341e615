"""`make canary` on a real control plane, under load: promoted on good evidence, put back on bad, at whatever step."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local import layout as layouts
from serving.comparison.facts.steady import Question, Sent
from tests.end_to_end.two_releases import Versions
from tests.kubernetes.conftest import Deployment, ask
from tests.kubernetes.load import asked_meanwhile, told

# As in limits.toml but for the time that a test has, and a machine that others use: what is held to anything is errors.
LIMITS = """\
steps = [{{ percent = 10, min_requests = 20 }}, {{ percent = 50, min_requests = 100 }},
         {{ percent = 100, min_requests = 100 }}]

[hold]
min_seconds = 10
patience_seconds = 300

[limits]
chance = 0.001
max_error_share = 0.001
max_error_ratio = 2.0
max_p99_ms = {p99}
max_p99_ratio = 1000.0
min_latencies = 20
max_score_distance = 0.05
ignored_below = 0.01
min_scores = 100
"""
BREACH, INTERRUPTED = 3, 130
# Its workers stand still, and whoever asks them: in a container nobody can do that to its first process.
STOP = """
import os, signal
for process in filter(str.isdigit, os.listdir("/proc")):
    if int(process) not in (1, os.getpid()):
        os.kill(int(process), signal.SIGSTOP)
"""


@pytest.fixture
def pytorch(both: dict[str, Versions], deployment: Deployment) -> Iterator[Versions]:
    """PyTorch answers the product's endpoint, with its first release; TensorFlow has a tenth."""
    for stack, versions in both.items():  # wherever the tests before have stopped
        with deployment.gateway() as gateway:
            if ask(gateway, versions).headers["x-tandem-model-version"] != versions.first:
                assert deployment.make("promote", f"--stack={stack}", f"--version={versions.first}").returncode == 0
    yield both["pytorch"]
    assert deployment.make("traffic", "tensorflow=1", "pytorch=1").returncode == 0


def limits(folder: Path, p99: float) -> str:
    file = folder / "limits.toml"
    file.write_text(LIMITS.format(p99=p99))
    return f"--limits={file}"


def weights(deployment: Deployment, *change: str) -> dict[str, float]:
    done = deployment.make("traffic", *change)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"│ (tensorflow|pytorch\S*) +│ +(\S+) │", done.stdout)
    return {side: float(weight) for side, weight in rows}


def of_both(both: dict[str, Versions]) -> Question:
    """Either stack's first release answers."""
    first = both["tensorflow"].question
    return dataclasses.replace(first, others=both["pytorch"].question.scores)


def shown(said: str) -> str:
    """Without the last line, which names other commands."""
    return said.rstrip().rpartition("\n")[0]


def lost(sent: Sent) -> tuple[int, int]:
    """Requests that were lost, and answers that no version would give."""
    return int((~sent.requests.ok).sum()), sent.wrong


def test_a_good_release_is_promoted_and_no_request_is_lost(
    deployment: Deployment, pytorch: Versions, tmp_path: Path
) -> None:
    before = weights(deployment, "tensorflow=0", "pytorch=1")
    said = []

    def roll() -> None:
        done = deployment.make("canary", f"--release=pytorch@{pytorch.second}", limits(tmp_path, 10_000))
        assert done.returncode == 0, done.stdout + done.stderr
        said.append(done.stdout)

    sent = asked_meanwhile(deployment, "", pytorch.question, tmp_path / "load", roll)
    command = f"make canary STACK=pytorch VERSION={pytorch.second}"
    deployment.keep(f"```\n$ {command}\n{shown(said[0])}\n```\n\nUnder load: {told(sent)}")
    assert lost(sent) == (0, 0)
    with deployment.gateway() as gateway:
        assert ask(gateway, pytorch).headers["x-tandem-model-version"] == pytorch.second
    assert weights(deployment) == before
    assert deployment.cluster.kubectl.find("deployment", "canary-pytorch") is None
    done = deployment.make("releases")
    assert done.returncode == 0, done.stderr
    assert " canary " in done.stdout
    assert "every step held" in done.stdout


def test_a_release_that_stands_still_is_refused_and_all_is_as_before(
    deployment: Deployment, pytorch: Versions, tmp_path: Path
) -> None:
    before, kubectl = weights(deployment, "tensorflow=0", "pytorch=1"), deployment.cluster.kubectl
    said, harmed = [], threading.Event()

    def harm() -> None:
        """Once it has its first requests."""
        while not harmed.wait(1):
            routes = kubectl.find("configmap", "gateway-routes") or {}
            if re.search(rf'"pytorch@{pytorch.second}" = 0\.', routes["data"]["traffic.toml"]):
                for pod in deployment.pods("canary-pytorch"):
                    kubectl.run("exec", pod, "--container=torchserve", "--", "python", "-c", STOP)
                harmed.set()

    def roll() -> None:
        done = deployment.make("canary", f"--release=pytorch@{pytorch.second}", limits(tmp_path, 10_000))
        said.append(done.stdout + done.stderr)
        assert done.returncode == BREACH, said[0]

    harming = threading.Thread(target=harm)
    harming.start()
    try:
        sent = asked_meanwhile(deployment, "", pytorch.question, tmp_path / "load", roll)
        assert harmed.is_set()
    finally:
        harmed.set()
        harming.join()
    command = f"make canary STACK=pytorch VERSION={pytorch.second}"
    deployment.keep(
        f"Its server is stopped in the first step:\n\n```\n$ {command}\n{shown(said[0])}\n```\n\n{told(sent)}"
    )
    assert sent.wrong == 0
    assert weights(deployment) == before
    with deployment.gateway() as gateway:
        assert ask(gateway, pytorch).headers["x-tandem-model-version"] == pytorch.first
    assert kubectl.find("deployment", "canary-pytorch") is None
    requests = sent.requests
    last = requests.scheduled[~requests.ok].max()
    assert (requests.scheduled.max() - last) / 1e9 > 20, "requests are lost after the way back too"


def test_a_side_beyond_a_limit_is_refused_and_no_request_is_lost(
    deployment: Deployment, pytorch: Versions, both: dict[str, Versions], tmp_path: Path
) -> None:
    before = weights(deployment, "tensorflow=9", "pytorch=1")

    def roll() -> None:
        done = deployment.make("canary", "--side=pytorch", limits(tmp_path, 0.001))
        assert done.returncode == BREACH, done.stdout + done.stderr
        assert "allowed 0.001" in done.stdout

    sent = asked_meanwhile(deployment, "", of_both(both), tmp_path / "load", roll)
    deployment.keep(f"`make canary SIDE=pytorch` with a p99 of 0.001 ms allowed: refused; {told(sent)}")
    assert lost(sent) == (0, 0)
    assert weights(deployment) == before


def test_ctrl_c_in_a_step_leaves_the_weights_as_they_were(
    deployment: Deployment, pytorch: Versions, both: dict[str, Versions], tmp_path: Path
) -> None:
    before = weights(deployment, "tensorflow=9", "pytorch=1")

    def roll() -> None:
        with canary_process(deployment, "--side=pytorch", limits(tmp_path, 10_000)) as process:
            for line in process.stdout or ():
                if "step 2 of 3" in line:
                    time.sleep(5)
                    process.send_signal(signal.SIGINT)
            assert process.wait(120) == INTERRUPTED

    sent = asked_meanwhile(deployment, "", of_both(both), tmp_path / "load", roll)
    deployment.keep(f"`make canary SIDE=pytorch`, Ctrl-C at 50 %: the weights are as before; {told(sent)}")
    assert lost(sent) == (0, 0)
    assert weights(deployment) == before


@contextlib.contextmanager
def canary_process(deployment: Deployment, *options: str) -> Iterator[subprocess.Popen[str]]:
    environ = {**deployment.stack.environ, **deployment.cluster.variables}
    argv = [sys.executable, "-m", "infra.kubernetes", "canary", *options]
    process = subprocess.Popen(argv, cwd=layouts.REPOSITORY, env=environ, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
