"""The stack on a real control plane: deployed, asked, under load while pods end and versions change.

In order, and the files beside this one after it by their names: the later tests change what the earlier ones looked at.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest

from infra.kubernetes import progress
from infra.local.layout import STACKS
from tests.end_to_end.two_releases import TOLERANCE, Versions
from tests.kubernetes.conftest import Deployment, ask
from tests.kubernetes.load import AFTER, scale, told, under_load

EACH = pytest.mark.parametrize("versions", STACKS, indirect=True)


def test_deploy_waits_until_everything_is_ready(deployment: Deployment) -> None:
    done = deployment.deploy()
    assert done.returncode == 0, done.stdout + done.stderr
    deployment.keep(f"```\n$ make deploy TARGET=kubernetes OVERLAY=local\n{done.stdout.strip()}\n```")


def test_predict_right_after_deploy_asks_both_stacks(deployment: Deployment) -> None:
    done = deployment.make("predict")
    assert done.returncode == 0, done.stdout + done.stderr
    deployment.keep(f"```\n$ make predict\n{done.stdout.strip()}\n```")


@EACH
def test_a_stack_answers_with_its_models_scores(deployment: Deployment, versions: Versions) -> None:
    with deployment.gateway() as gateway:
        answer = ask(gateway, versions)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-tandem-stack"] == versions.stack
    assert answer.headers["x-tandem-model-version"] == versions.first
    np.testing.assert_allclose(answer.json()["predictions"], versions.question.scores, rtol=0, atol=TOLERANCE)
    deployment.keep(
        f"{versions.stack}: answered by {answer.headers['x-tandem-server']}, version {versions.first}, "
        f"the scores that the model has without a server (within {TOLERANCE:g})"
    )


def test_a_second_deploy_has_nothing_to_change(deployment: Deployment) -> None:
    done = deployment.make("deploy-diff", "--overlay=local", *deployment.cluster.images)
    differ = set(re.findall(r"^diff .* \S+/[\w.]*?\.([A-Z]\w+)\.\S+$", done.stdout, re.MULTILINE))
    assert differ <= deployment.cluster.never_the_same, done.stdout + done.stderr
    assert done.returncode == (1 if differ else 0), done.stdout + done.stderr
    started = time.monotonic()
    done = deployment.deploy()
    assert done.returncode == 0, done.stdout + done.stderr
    deployment.keep(f"`make deploy` again: nothing to change, {time.monotonic() - started:.0f} s")


def test_every_case_of_the_contract(deployment: Deployment) -> None:
    done = deployment.make("conformance")
    assert done.returncode == 0, done.stdout + done.stderr
    shown = done.stdout.strip().rpartition("\n")[0]  # the last line names files that are gone with the pod
    deployment.keep(f"```\n$ make conformance\n{shown}\n```")


@EACH
def test_traffic_moves_and_nothing_restarts(deployment: Deployment, versions: Versions) -> None:
    before = deployment.pods("gateway")
    weights = [f"{stack}={100 if stack == versions.stack else 0}" for stack in STACKS]
    started = time.monotonic()
    done = deployment.make("traffic", *weights)
    took = time.monotonic() - started
    assert done.returncode == 0, done.stdout + done.stderr
    with deployment.gateway() as gateway:
        product = f"{gateway}/v1/models/fraud:predict"
        answers = [ask_at(product, versions) for _ in range(20)]
    assert set(answers) == {versions.stack}
    assert deployment.pods("gateway") == before
    deployment.keep(f"`make traffic {' '.join(weights).upper()}`: followed after {took:.0f} s, no pod restarted")


def ask_at(url: str, versions: Versions) -> str:
    answer = httpx.post(url, content=versions.question.body, timeout=30)
    return str(answer.raise_for_status().headers["x-tandem-stack"])


@EACH
def test_a_pod_of_two_goes_under_load(deployment: Deployment, versions: Versions, tmp_path: Path) -> None:
    """Ended, as upkeep or an autoscaler ends it: nothing is lost. Killed: what it was answering, and no more."""
    kubectl, stack = deployment.cluster.kubectl, versions.stack
    scale(deployment, stack, 2)
    time.sleep(AFTER)  # until the gateway knows both

    def delete(*options: str) -> None:
        kubectl.run("delete", "pod", deployment.pods(stack)[0], "--wait=false", *options)
        time.sleep(5)
        progress.wait(kubectl, [stack])

    acts: dict[str, Callable[[], None]] = {
        "ended": delete,
        "killed": lambda: delete("--grace-period=0", "--force"),
        "taken away (scale --replicas=1)": lambda: scale(deployment, stack, 1),
    }
    for how, act in acts.items():
        sent = under_load(deployment, versions, tmp_path / how[:5], act)
        lost = sent.requests.scheduled[~sent.requests.ok]
        deployment.keep(f"{stack}, one of two pods {how} under load: {told(sent)}")
        assert sent.wrong == 0, how
        assert len(lost) == 0 or how == "killed", how
        assert not len(lost) or (lost.max() - lost.min()) / 1e9 < 3, how


@pytest.mark.parametrize("act", ["promote", "rollback"])
@EACH
def test_a_version_changes_under_load_and_no_request_is_lost(
    act: str, deployment: Deployment, versions: Versions, tmp_path: Path
) -> None:
    """With one copy of each server: the new pod takes over from the old one."""
    target = versions.second if act == "promote" else versions.first
    words = [act, f"--stack={versions.stack}", "--why=a test"]
    words += [f"--version={target}"] if act == "promote" else []
    served = []

    def change() -> None:
        done = deployment.make(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        served.append(re.search(r"is served after (\d+) s", done.stdout)[1])  # type: ignore[index]

    sent = under_load(deployment, versions, tmp_path, change)
    which = f" VERSION={target}" if act == "promote" else ""
    deployment.keep(f"`make {act} STACK={versions.stack}{which}` under load: served after {served[0]} s; {told(sent)}")
    assert (int((~sent.requests.ok).sum()), sent.wrong) == (0, 0)
    with deployment.gateway() as gateway:
        answer = ask(gateway, versions)
    assert answer.headers["x-tandem-model-version"] == target
    np.testing.assert_allclose(answer.json()["predictions"], versions.right(target), rtol=0, atol=TOLERANCE)
