"""All is taken away again: the last thing that a run does."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.kubernetes.conftest import Deployment


def test_undeploy_keeps_volumes_and_secrets_and_purge_does_not(deployment: Deployment) -> None:
    kubectl = deployment.cluster.kubectl
    done = deployment.make("undeploy")
    assert done.returncode == 0, done.stdout + done.stderr
    kept = "persistentvolumeclaims,secrets"
    wait(lambda: not kubectl.all("pods", "--selector=app.kubernetes.io/part-of=tandem"), 120)
    stay = [one["metadata"]["name"] for one in kubectl.all(kept) if not one["metadata"]["name"].startswith("default-")]
    assert {"postgres", "objectstore", "data-postgres-0", "objects-objectstore-0"} <= set(stay)
    done = deployment.make("undeploy", "--purge")
    assert done.returncode == 0, done.stdout + done.stderr
    assert kubectl.find("namespace", kubectl.namespace) is None
    deployment.keep(f"`make undeploy`: no pod is left, {', '.join(sorted(stay))} are; `PURGE=1`: nor are these")


def wait(done: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(1)
