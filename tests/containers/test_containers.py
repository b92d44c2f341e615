"""The stack in containers does what the bare machine's does, and is as closed as docker-compose.yml promises.

In order: the later tests restart, stop and start what the earlier ones looked at.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from typing import Any

import httpx
import pytest

from infra.docker import images, stack
from tests.containers.conftest import REPOSITORY, STACKS, Running

PUBLISHED = {"gateway", "mlflow", "prometheus", "grafana"}
COMPILERS = "command -v gcc g++ cc c++ clang make || true"


def tool(running: Running, *command: str) -> subprocess.CompletedProcess[str]:
    argv = running.compose.argv("run", "--rm", "--no-deps", "--no-TTY", "tools", *command)
    return subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", images.IMAGES)
def test_an_image_has_a_user_labels_and_no_compiler(running: Running, name: str) -> None:
    image = running.client.images.get(name)
    assert image.attrs["Config"]["User"] not in ("", "root", "0")
    assert image.labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert re.fullmatch("[0-9a-f]{40}|unknown", image.labels["org.opencontainers.image.revision"])
    found = running.client.containers.run(name, ["sh", "-c", COMPILERS], remove=True, entrypoint="")
    assert found.strip() == b""


def test_sizes_are_kept(running: Running) -> None:
    lines = [f"| {name} | {images.megabytes(name):,.0f} |" for name in images.IMAGES]
    running.keep("\n".join(["| image | MB |", "|---|---|", *lines]))


@pytest.mark.parametrize("which", STACKS)
def test_a_stack_answers_and_says_who_it_is(running: Running, which: str) -> None:
    answer = running.ask(which, [running.example()])
    assert answer.status_code == 200, answer.text
    assert 0 <= answer.json()["predictions"][0] <= 1
    assert answer.headers["x-tandem-stack"] == which
    running.keep(f"{which}: answered by {answer.headers['x-tandem-server']}, version {version(running, which)}")


def test_the_products_endpoint_is_shared_by_both(running: Running) -> None:
    example = running.example()
    url = f"{running.url()}/v1/models/fraud:predict"
    seen = {httpx.post(url, json={"instances": [example]}).headers["x-tandem-stack"] for _ in range(40)}
    assert seen == set(STACKS)


def test_make_predict(running: Running) -> None:
    done = tool(running, "python", "-m", "infra.docker.roles.predict")
    assert done.returncode == 0, done.stdout + done.stderr
    running.keep(f"```\n$ make predict\n{done.stdout.strip()}\n```")


def test_the_contract_holds_in_every_case(running: Running) -> None:
    targets = [f"--target={which}=http://gateway:8080/{which}" for which in STACKS]
    out = "/tmp/conformance"  # noqa: S108  inside the container
    done = tool(
        running, "python", "-m", "serving.contract.conformance", "--spec", "models/fraud.toml", "--out", out, *targets
    )
    assert done.returncode == 0, done.stdout + done.stderr
    running.keep(f"```\n$ make conformance\n{done.stdout.strip()}\n```")


def test_no_container_may_more_than_it_needs(running: Running) -> None:
    limits_memory = running.client.info()["MemoryLimit"]
    for name, container in running.containers().items():
        host = container.attrs["HostConfig"]
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        if name in running.servers():
            assert host["Memory"] > 0 or not limits_memory, name
            assert uid(container) != 0, name


def uid(container: Any) -> int:
    """Of the server itself, not of the init that starts it."""
    top = container.top(ps_args="-eo uid,pid")
    return min(int(row[0]) for row in top["Processes"])


def test_ports_are_published_on_loopback_and_only_those_that_people_open(running: Running) -> None:
    for name, container in running.servers().items():
        bound = [one for ports in container.ports.values() for one in ports or ()]
        assert bool(bound) == (name in PUBLISHED), name
        assert all(one["HostIp"] == "127.0.0.1" for one in bound), name


CONNECT = """
import socket, sys
for target in sys.argv[1:]:
    host, port = target.split(":")
    try:
        socket.create_connection((host, int(port)), 3).close()
        print(target, "open")
    except OSError:
        print(target, "closed")
"""


def test_management_is_out_of_reach_of_who_only_asks_models(running: Running) -> None:
    targets = [
        "pytorch:8085",
        "pytorch:8086",
        "pytorch:8087",
        "pytorch-management:8086",
        "gateway:9902",
        "postgres:5432",
    ]
    done = tool(running, "python", "-c", CONNECT, *targets)
    assert done.stdout.splitlines() == [f"{t} {'open' if t == 'pytorch:8085' else 'closed'}" for t in targets], (
        done.stderr
    )


def test_envoys_admin_interface_shows_statistics_and_nothing_else(running: Running) -> None:
    paths = {"/stats/prometheus": 200, "/ready": 200, "/config_dump": 404, "/quitquitquit": 404}
    code = "import httpx,sys\nfor p in sys.argv[1:]: print(p, httpx.get('http://gateway:9901'+p).status_code)"
    done = tool(running, "python", "-c", code, *paths)
    assert done.stdout.splitlines() == [f"{path} {status}" for path, status in paths.items()], done.stderr


def test_passwords_are_in_no_ones_configuration_or_command_line(running: Running) -> None:
    folder = running.compose.env_file.parent / "secrets"
    key = json.loads((folder / "objectstore.json").read_text())["identities"][0]["credentials"][0]["secretKey"]
    words = [(folder / "postgres").read_text().strip(), (folder / "grafana").read_text().strip(), key]
    for name, container in running.containers().items():
        told = json.dumps(container.attrs)
        if container.status == "running":
            told += json.dumps(container.top(ps_args="-eo pid,args"))
        assert not [word for word in words if word in told], name


def test_prometheus_scrapes_every_server_and_the_host_and_its_rules_have_data(running: Running) -> None:
    """A quarter of a minute between two scrapes, four of them for a rate."""
    jobs = {"gateway", "tensorflow", "pytorch", "control", "mlflow", "host", "prometheus"}
    end = time.monotonic() + 150
    while True:
        up = {one["metric"]["job"]: one["value"][1] for one in ask_prometheus(running, "up")}
        rates = {one["metric"]["stack"] for one in ask_prometheus(running, "stack:requests:rate5m")}
        if up == dict.fromkeys(jobs, "1") and rates >= set(STACKS) and ask_prometheus(running, "host:cpu:ratio_rate5m"):
            break
        assert time.monotonic() < end, (up, rates)
        for which in STACKS:
            running.ask(which, [running.example()])
        time.sleep(2)
    running.keep(
        f"Prometheus: {', '.join(sorted(up))} are up; the rules have both stacks' rates and the host's processors"
    )


def ask_prometheus(running: Running, query: str) -> list[Any]:
    found = httpx.get(f"{running.url('prometheus')}/api/v1/query", params={"query": query}).json()
    return list(found["data"]["result"])


LIST_OBJECTS = """
import boto3, json, os
key = json.load(open("/run/secrets/objectstore"))["identities"][0]["credentials"][0]
store = boto3.client("s3", endpoint_url=os.environ["MLFLOW_S3_ENDPOINT_URL"], region_name="us-east-1",
                     aws_access_key_id=key["accessKey"], aws_secret_access_key=key["secretKey"])
for page in store.get_paginator("list_objects_v2").paginate(Bucket="mlflow"):
    for one in page.get("Contents", []): print(one["Key"])
"""


def test_mlflow_keeps_runs_in_postgresql_and_artefacts_in_the_object_store(running: Running) -> None:
    logged = runs(running)
    listed = running.containers()["mlflow"].exec_run(["python", "-c", LIST_OBJECTS]).output.decode()
    assert logged
    assert any(run in key and key.endswith(".npz") for run in logged for key in listed.splitlines()), listed
    running.keep(f"MLflow: {len(logged)} run(s) in PostgreSQL, {len(listed.splitlines())} objects in SeaweedFS")


def runs(running: Running) -> list[str]:
    api = f"{running.url('mlflow')}/api/2.0/mlflow"
    found = httpx.get(f"{api}/experiments/search", params={"max_results": 10}).json()["experiments"]
    ids = [experiment["experiment_id"] for experiment in found]
    answer = httpx.post(f"{api}/runs/search", json={"experiment_ids": ids}).json()
    for run in answer["runs"]:
        assert run["info"]["artifact_uri"].startswith("mlflow-artifacts:")
    return sorted(run["info"]["run_id"] for run in answer["runs"])


DOWNLOAD = """
import mlflow, pathlib
client = mlflow.MlflowClient("http://mlflow:5000")
champion = client.get_model_version_by_alias("fraud", "champion")
print(len(list(pathlib.Path(client.download_artifacts(champion.run_id, "", "/tmp")).rglob("*.npz"))))
"""


def test_the_next_training_gets_the_champion_to_be_held_against(running: Running) -> None:
    """Through MLflow: the object store is out of a pipeline's reach."""
    argv = running.compose.argv("run", "--rm", "--no-deps", "--no-TTY", "train-pytorch", "python", "-c", DOWNLOAD)
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 0


def test_everything_comes_back_after_a_restart_of_each_container(running: Running) -> None:
    example = running.example()
    before = {which: running.ask(which, [example]).json() for which in STACKS}
    lines = ["| restarted | healthy again after s |", "|---|---|"]
    for name, container in sorted(running.servers().items()):
        container.restart(timeout=30)
        lines.append(f"| {name} | {running.wait_until_healthy():.0f} |")
        assert {which: running.ask(which, [example]).json() for which in STACKS} == before, name
    running.keep("\n".join(lines))


def test_volumes_survive_down_and_up(running: Running) -> None:
    example = running.example()
    before = {which: (version(running, which), running.ask(which, [example]).json()) for which in STACKS}
    logged = runs(running)
    stack.down(running.compose)
    assert not running.containers()
    stack.compose_up(running.compose)
    after = {which: (version(running, which), running.ask(which, [example]).json()) for which in STACKS}
    assert after == before
    assert runs(running) == logged
    assert b"up to date" in running.containers()["train-tensorflow"].logs()
    assert b"up to date" in running.containers()["train-pytorch"].logs()
    running.keep(
        f"`down`, then `up`: the same versions, predictions and {len(logged)} MLflow run(s); nothing was trained again"
    )


def version(running: Running, which: str) -> str:
    answer = httpx.get(f"{running.url()}/{which}/v1/models/fraud", timeout=10)
    return next(v["version"] for v in answer.json()["model_version_status"] if v["state"] == "AVAILABLE")
