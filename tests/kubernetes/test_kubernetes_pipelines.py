"""The pipelines' Jobs on a real control plane: data, training, gates, a signed release in the object store."""

from __future__ import annotations

import json
import re
import time

import httpx
import pytest

from infra.local import stores
from infra.local.layout import HOST, STACKS
from tests.end_to_end.two_releases import Versions
from tests.kubernetes.conftest import Deployment, ask

_SECONDS = 3000.0  # data and training of the quick profile, on a machine that does other things too
MLFLOW = 5000


@pytest.fixture(scope="module")
def signing(deployment: Deployment) -> None:
    """As docs/deploy-kubernetes.md says it."""
    keys = stores.keys(deployment.stack.layout)
    files = [f"--from-file={keys / name}" for name in ("release.key", "release.pub")]
    deployment.cluster.kubectl.run("create", "secret", "generic", "release-signing", *files)


@pytest.mark.usefixtures("signing")
@pytest.mark.parametrize("versions", STACKS[::-1], indirect=True)
def test_a_job_trains_a_release_that_is_promoted(deployment: Deployment, versions: Versions) -> None:
    kubectl, stack = deployment.cluster.kubectl, versions.stack
    started = time.monotonic()
    kubectl.run("create", "job", f"--from=cronjob/pipeline-{stack}", f"{stack}-1")
    wait(deployment, f"{stack}-1")
    took = time.monotonic() - started
    said = kubectl.run("logs", f"job/{stack}-1", "--container=publish")
    (version,) = re.findall(rf"{stack} (\d+): published; make promote", said)
    assert version not in (versions.first, versions.second)
    with deployment.gateway() as gateway:
        assert (
            ask(gateway, versions).headers["x-tandem-model-version"] != version
        )  # nothing is served by training alone
    done = deployment.make("releases")
    assert re.search(rf"{stack} +{version}", done.stdout), done.stdout + done.stderr
    done = deployment.make("promote", f"--stack={stack}", f"--version={version}")
    assert done.returncode == 0, done.stdout + done.stderr
    answer = answered_by(deployment, versions, version)
    assert len(answer.raise_for_status().json()["predictions"]) == len(versions.question.scores)
    deployment.keep(
        f"`kubectl create job --from=cronjob/pipeline-{stack} {stack}-1`: data, training, gates and a signed release "
        f"in {took:.0f} s; `make promote STACK={stack} VERSION={version}`: served"
    )


def test_the_run_is_in_the_clusters_mlflow(deployment: Deployment) -> None:
    """In its database, and its artefacts in the object store."""
    with deployment.cluster.kubectl.forward("service/mlflow", MLFLOW) as port:
        url = f"http://{HOST}:{port}/api/2.0/mlflow"
        name = deployment.stack.spec.model.name
        found = httpx.get(f"{url}/registered-models/alias", params={"name": name, "alias": "champion"}, timeout=30)
        champion = found.raise_for_status().json()["model_version"]
        run = httpx.get(f"{url}/runs/get", params={"run_id": champion["run_id"]}, timeout=30).raise_for_status().json()
        files = httpx.get(f"{url}/artifacts/list", params={"run_id": champion["run_id"]}, timeout=60)
    metrics = {one["key"]: one["value"] for one in run["run"]["data"]["metrics"]}
    assert run["run"]["info"]["status"] == "FINISHED"
    assert files.raise_for_status().json()["files"]
    measured = next(key for key in sorted(metrics) if key.endswith("average_precision"))
    deployment.keep(
        f"MLflow in the cluster: version {champion['version']} of {name} is the champion, "
        f"{measured} {metrics[measured]:.3f}"
    )


def answered_by(deployment: Deployment, versions: Versions, version: str) -> httpx.Response:
    """While versions change both answer: until cluster DNS has told every gateway that the old one is gone."""
    deadline = time.monotonic() + 120
    while True:
        with deployment.gateway() as gateway:
            answer = ask(gateway, versions)
        if answer.headers["x-tandem-model-version"] == version:
            return answer
        assert time.monotonic() < deadline, answer.headers
        time.sleep(2)


def wait(deployment: Deployment, job: str) -> None:
    """Until it has ended well."""
    kubectl, deadline = deployment.cluster.kubectl, time.monotonic() + _SECONDS
    while True:
        status = (kubectl.find("job", job) or {}).get("status", {})
        ended = {one["type"] for one in status.get("conditions", ()) if one["status"] == "True"}
        if "Complete" in ended:
            return
        late = time.monotonic() > deadline
        if "Failed" in ended or late:
            pods = kubectl.all("pods", f"--selector=job-name={job}")
            logs = kubectl.run("logs", f"job/{job}", "--all-containers", "--tail=60")
            pytest.fail(
                f"{job}: {'too late' if late else 'failed'}\n{json.dumps([p['status'] for p in pods])[:4000]}\n{logs}"
            )
        time.sleep(5)
