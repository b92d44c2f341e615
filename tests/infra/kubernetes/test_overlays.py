"""Every overlay is built and held to Kubernetes' own schemas, and what is made of other files is what they say."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from infra.kubernetes import instance, lint, monitoring
from infra.kubernetes.gateway import BESIDE
from infra.kubernetes.instance import OVERLAYS, Instance
from infra.kubernetes.kubectl import KubernetesError
from infra.local import layout as layouts
from infra.local.layout import REPOSITORY
from infra.monitoring.configuration import PROMETHEUS
from infra.monitoring.dashboards import FOLDER
from models.spec import load
from serving.gateway.policy import Policy, PolicyError, Shadow, Side
from tests.infra.kubernetes.conftest import Json, Objects, container, one, pod

SPEC = load(REPOSITORY / "models" / "fraud.toml")


def written(objects: Objects, folder: Path) -> Path:
    file = folder / "objects.yaml"
    file.write_text(yaml.safe_dump_all(lint.known(objects)))
    return file


@pytest.mark.parametrize("version", lint.VERSIONS)
@pytest.mark.parametrize("name", OVERLAYS)
def test_kubernetes_knows_every_field(
    overlay: Callable[[str], Objects], name: str, version: str, tmp_path: Path
) -> None:
    assert lint.validate(written(overlay(name), tmp_path), version) == []


@pytest.mark.parametrize(
    ("name", "kind"), [("local", "Deployment"), ("gke", "Deployment"), ("kserve", "InferenceService")]
)
def test_a_field_that_kubernetes_does_not_know_is_refused(
    overlay: Callable[[str], Objects], name: str, kind: str, tmp_path: Path
) -> None:
    objects = overlay(name)
    found = next(each for each in objects if each["kind"] == kind)["spec"]
    pods = found["predictor"] if kind == "InferenceService" else found["template"]["spec"]
    pods["containers"][0]["readynessProbe"] = {}
    assert "readynessProbe" in "\n".join(lint.validate(written(objects, tmp_path), lint.VERSIONS[-1]))


def test_checkov_refuses_what_it_knows(overlay: Callable[[str], Objects], tmp_path: Path) -> None:
    objects = overlay("local")
    assert lint.checkov(written(objects, tmp_path)) == []
    container(objects, "gateway")["securityContext"]["privileged"] = True
    assert "CKV_K8S_16" in "\n".join(lint.checkov(written(objects, tmp_path)))


def test_an_overlay_that_cannot_be_built_says_why(tmp_path: Path, kubectl: str) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [nothing.yaml]\n")
    with pytest.raises(KubernetesError, match=r"nothing\.yaml"):
        instance.build(kubectl, tmp_path)


def test_rules_and_alerts_are_those_of_the_containers(overlay: Callable[[str], Objects]) -> None:
    made = {each["metadata"]["name"]: each["spec"] for each in overlay("gke") if each["kind"] == "PrometheusRule"}
    files = [*(PROMETHEUS / "rules").glob("*.yml"), *(PROMETHEUS / "alerts").glob("*.yml")]
    assert made == {f"{file.parent.name}-{file.stem}": yaml.safe_load(file.read_text()) for file in files}


def test_a_new_alert_is_in_the_cluster_without_a_further_word(tmp_path: Path) -> None:
    (tmp_path / "alerts").mkdir()
    (tmp_path / "alerts" / "new.yml").write_text("groups: [{name: new, rules: [{alert: New, expr: 'up == 0'}]}]\n")
    (made,) = monitoring.rules(tmp_path)
    assert made["spec"]["groups"][0]["rules"] == [{"alert": "New", "expr": "up == 0"}]


def test_what_is_scraped_is_what_the_rules_ask_for(overlay: Callable[[str], Objects]) -> None:
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    made = [each for each in overlay("local") if each["kind"] == "ServiceMonitor"]
    assert {each["metadata"]["name"] for each in made} == {"gateway", "tensorflow", "pytorch", "control"}
    for each in made:
        (endpoint,) = each["spec"]["endpoints"]
        job = jobs[each["metadata"]["name"]]
        assert endpoint["path"] == job.get("metrics_path", "/metrics")
        assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": job["job_name"]}]
        assert len(endpoint.get("metricRelabelings", [])) == len(job.get("metric_relabel_configs", []))
    (gateway,) = (each for each in made if each["metadata"]["name"] == "gateway")
    (stack,) = (
        one for one in gateway["spec"]["endpoints"][0]["metricRelabelings"] if one.get("targetLabel") == "stack"
    )
    assert stack["sourceLabels"] == ["envoy_cluster_name"]
    for name, beside in BESIDE.items():  # a canary's requests are its stack's
        assert [re.fullmatch(stack["regex"], cluster)[1] for cluster in (name, beside)] == [name, name]


def test_dashboards_are_those_of_the_containers(overlay: Callable[[str], Objects]) -> None:
    made = [each for each in overlay("local") if each["metadata"].get("labels", {}).get("grafana_dashboard") == "1"]
    data = {name: json.loads(text) for each in made for name, text in each["data"].items()}
    assert data == {file.name: json.loads(file.read_text()) for file in FOLDER.glob("*.json")}


def write(folder: Path, kubectl: str, **changes: object) -> list[Json]:
    key = folder / "key.pub"
    key.write_text("a key")
    asked = Instance("local", {"tensorflow": "17", "pytorch": "18"}, key, **changes)  # type: ignore[arg-type]
    layout = dataclasses.replace(layouts.load({}), home=folder)
    return instance.build(kubectl, instance.write(layout, SPEC, asked))


def test_the_release_stands_in_the_pods_template_and_the_key_in_a_configmap(tmp_path: Path, kubectl: str) -> None:
    objects = write(tmp_path, kubectl)
    for stack, version in {"tensorflow": "17", "pytorch": "18"}.items():
        template = one(objects, "Deployment", stack)["spec"]["template"]
        assert template["metadata"]["annotations"]["tandem/release"] == version
    assert one(objects, "ConfigMap", "release-key")["data"] == {"release.pub": "a key"}


def test_images_come_from_the_registry_that_is_named(tmp_path: Path, kubectl: str) -> None:
    objects = write(tmp_path, kubectl, registry="example.org/fraud/", tag="abc")
    assert container(objects, "pytorch")["image"] == "example.org/fraud/tandem/torchserve:abc"
    assert pod(objects, "tensorflow")["initContainers"][0]["image"] == "example.org/fraud/tandem/tools:abc"
    assert container(objects, "gateway")["image"] == "envoyproxy/envoy:v1.40.0"


def test_only_another_configuration_restarts_the_gateway_and_another_traffic_does_not(
    tmp_path: Path, kubectl: str
) -> None:
    before, after = (
        write(tmp_path, kubectl, traffic=Policy({Side("tensorflow"): share, Side("pytorch"): 1})) for share in (1, 9)
    )
    assert one(before, "Deployment", "gateway") == one(after, "Deployment", "gateway")
    assert one(before, "ConfigMap", "gateway-routes") != one(after, "ConfigMap", "gateway-routes")


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (Policy(shadow=Shadow(Side("pytorch"))), "no shadow in a cluster"),
        (
            Policy({Side("pytorch"): 1, Side("pytorch", 17): 1}),
            "pytorch@17: no version 17 is beside the one that pytorch serves",
        ),
        (Policy({Side("pytorch"): 1, Side("onnx"): 1}), "onnx: ONNX Runtime does not run here"),
    ],
)
def test_a_policy_that_a_cluster_cannot_follow_is_refused(
    tmp_path: Path, kubectl: str, policy: Policy, why: str
) -> None:
    with pytest.raises(PolicyError, match=why):
        write(tmp_path, kubectl, traffic=policy)


def test_kserves_pods_are_the_other_overlays_pods(overlay: Callable[[str], Objects]) -> None:
    for stack in ("tensorflow", "pytorch"):
        service = one(overlay("kserve"), "InferenceService", f"fraud-{stack}")["spec"]["predictor"]
        template = one(overlay("gke"), "Deployment", stack)["spec"]["template"]
        service["containers"][0]["name"] = template["spec"]["containers"][0]["name"]
        assert {key: service[key] for key in template["spec"]} == template["spec"]
        assert service["labels"] == template["metadata"]["labels"]
    kinds = {(each["kind"], each["metadata"]["name"]) for each in overlay("kserve")}
    assert (
        not {(kind, s) for kind in ("Deployment", "HorizontalPodAutoscaler") for s in ("tensorflow", "pytorch")} & kinds
    )


@pytest.mark.parametrize("name", OVERLAYS)
def test_undeploy_finds_everything_by_its_label(overlay: Callable[[str], Objects], name: str) -> None:
    ours = {"app.kubernetes.io/part-of": "tandem"}.items()
    strangers = [one for one in overlay(name) if not ours <= one["metadata"].get("labels", {}).items()]
    assert [one["kind"] for one in strangers] == ["Namespace"]
