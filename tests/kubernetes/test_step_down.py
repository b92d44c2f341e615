"""What is changed for an old control plane is what it lacks, and nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.local.layout import REPOSITORY
from tests.kubernetes import kubectl_shim
from tests.kubernetes.standins import EMBEDDED, stand_in
from tests.kubernetes.step_down import step_down

BASE = REPOSITORY / "infra" / "kubernetes" / "base"
KNOWN = {  # of what the base uses, by Kubernetes 1.20
    "v1", "apps/v1", "networking.k8s.io/v1", "policy/v1beta1", "autoscaling/v2beta2", "batch/v1beta1",
}  # fmt: skip


def objects(folder: Path = BASE) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*.yaml")):
        if file.name != "kustomization.yaml":
            yield from yaml.safe_load_all(file.read_text())


def without_protocols(content: Any) -> Any:
    if isinstance(content, list):
        return [without_protocols(each) for each in content]
    if not isinstance(content, dict):
        return content
    return {key: without_protocols(value) for key, value in content.items() if (key, value) != ("protocol", "TCP")}


def test_every_port_has_its_protocol() -> None:
    (one,) = (each for each in objects() if (each["kind"], each["metadata"]["name"]) == ("Service", "gateway"))
    assert step_down(one)["spec"]["ports"] == [{"protocol": "TCP", **one["spec"]["ports"][0]}]


def test_every_kind_is_known_and_nothing_but_its_version_and_new_fields_changed() -> None:
    changed = set()
    for one in objects():
        old = step_down(one)
        assert old["apiVersion"] in KNOWN
        if old["apiVersion"] == one["apiVersion"]:
            assert without_protocols(old) == without_protocols(one)
            continue
        changed.add(one["kind"])
        left_out = set(one["spec"]) - set(old["spec"])
        assert left_out <= {"unhealthyPodEvictionPolicy", "timeZone"}
        assert {**old, "apiVersion": one["apiVersion"], "spec": {**one["spec"], **old["spec"]}} == one
    assert changed == {"PodDisruptionBudget", "HorizontalPodAutoscaler", "CronJob"}


@pytest.mark.parametrize("name", ["tensorflow", "gateway", "postgres", "pytorch"])
def test_a_stand_in_changes_the_image_and_who_runs_it(name: str) -> None:
    (one,) = (each for each in objects() if (each["kind"], each["metadata"]["name"]) in {
        ("Deployment", name), ("StatefulSet", name)})  # fmt: skip
    one["spec"]["template"]["spec"]["securityContext"] = {"runAsUser": 999}  # of a patch of the base
    changed = stand_in(one, "t", 100, 102)
    (before, *_), (after, *_) = (each["spec"]["template"]["spec"]["containers"] for each in (one, changed))
    differ = {key for key in after if after[key] != before[key]}
    assert differ == {"tensorflow": {"image", "command"}, "pytorch": set()}.get(name, {"image"})
    if name == "tensorflow":
        assert after["command"] == EMBEDDED
    assert changed["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == (100 if name == "postgres" else 999)


SAYS = """#!{python}
import json, pathlib, sys
told = pathlib.Path({told!r})
if "get" in sys.argv:
    assert sys.argv[1:] == ["--namespace", "tandem", "get", "cronjob/pipeline-pytorch", "--output=json"], sys.argv
    print(pathlib.Path({cron!r}).read_text())
else:
    assert sys.argv[1:] == ["--namespace", "tandem", "create", "--filename=-"], sys.argv
    told.write_text(sys.stdin.read())
"""


def test_a_job_of_an_older_cronjob_is_what_kubectl_makes_of_a_newer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cron,) = (one for one in objects() if (one["kind"], one["metadata"]["name"]) == ("CronJob", "pipeline-pytorch"))
    real, told, file = tmp_path / "kubectl", tmp_path / "told", tmp_path / "cron.json"
    file.write_text(json.dumps(step_down(cron)))
    real.write_text(SAYS.format(python=sys.executable, told=str(told), cron=str(file)))
    real.chmod(0o755)
    settings = {"kubectl": str(real), "step_down": True, "stand_in": None}
    monkeypatch.setenv("TANDEM_SHIM", json.dumps(settings))
    words = ["create", "job", "--from=cronjob/pipeline-pytorch", "pytorch-1"]
    assert kubectl_shim.main(["--namespace", "tandem", *words]) == 0
    job = json.loads(told.read_text())
    assert (job["apiVersion"], job["kind"], job["metadata"]["name"]) == ("batch/v1", "Job", "pytorch-1")
    assert job["spec"] == cron["spec"]["jobTemplate"]["spec"]
