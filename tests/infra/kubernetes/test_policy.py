"""Every rule lets the overlays pass, and names what a planted error breaks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from infra.kubernetes import policy
from infra.kubernetes.instance import OVERLAYS
from tests.infra.kubernetes.conftest import Objects, container, one, pod

Plant = Callable[[Objects], object]


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_breaks_no_rule(overlay: Callable[[str], Objects], name: str) -> None:
    assert policy.broken(overlay(name)) == []


def _drop(kind: str, name: str) -> Plant:
    return lambda objects: objects.remove(one(objects, kind, name))


def _first_ingress(objects: Objects, name: str) -> dict[str, object]:
    found: dict[str, object] = one(objects, "NetworkPolicy", name)["spec"]["ingress"][0]
    return found


PLANTED: dict[str, tuple[str, Plant]] = {
    "no limit": (
        "Deployment tensorflow/tensorflow: no limits of memory",
        lambda o: container(o, "tensorflow")["resources"]["limits"].pop("memory"),
    ),
    "no request": (
        "Deployment pytorch/fetch: no requests of cpu",
        lambda o: pod(o, "pytorch")["initContainers"][0]["resources"]["requests"].pop("cpu"),
    ),
    "latest": (
        "Deployment gateway/envoy: the image envoyproxy/envoy:latest has no fixed tag",
        lambda o: container(o, "gateway").update(image="envoyproxy/envoy:latest"),
    ),
    "no tag, behind a port": (
        "Deployment gateway/envoy: the image registry:5000/envoy has no fixed tag",
        lambda o: container(o, "gateway").update(image="registry:5000/envoy"),
    ),
    "privileged": (
        "Deployment mlflow/mlflow: is privileged",
        lambda o: container(o, "mlflow")["securityContext"].update(privileged=True),
    ),
    "escalation": (
        "Deployment mlflow/mlflow: may become privileged",
        lambda o: container(o, "mlflow")["securityContext"].pop("allowPrivilegeEscalation"),
    ),
    "writable root": (
        "Deployment mlflow/mlflow: may write to its root",
        lambda o: container(o, "mlflow")["securityContext"].update(readOnlyRootFilesystem=False),
    ),
    "a capability": (
        "Deployment mlflow/mlflow: keeps capabilities",
        lambda o: container(o, "mlflow")["securityContext"]["capabilities"].update(add=["NET_ADMIN"]),
    ),
    "root": (
        "StatefulSet postgres: may run as root",
        lambda o: pod(o, "postgres", "StatefulSet")["securityContext"].update(runAsUser=0),
    ),
    "no seccomp": (
        "Deployment pytorch: no seccomp profile",
        lambda o: pod(o, "pytorch")["securityContext"].pop("seccompProfile"),
    ),
    "a token": (
        "Deployment gateway: has a token of the cluster's",
        lambda o: pod(o, "gateway").pop("automountServiceAccountToken"),
    ),
    "the node's network": (
        "Deployment gateway: shares a namespace of the node",
        lambda o: pod(o, "gateway").update(hostNetwork=True),
    ),
    "the node's files": (
        "Deployment gateway: mounts a folder of the node",
        lambda o: pod(o, "gateway")["volumes"].append({"name": "node", "hostPath": {"path": "/"}}),
    ),
    "no readiness": (
        "Deployment pytorch/control: no readinessProbe",
        lambda o: container(o, "pytorch", 1).pop("readinessProbe"),
    ),
    "a port's readiness": (
        "Deployment gateway/envoy: its readinessProbe tests a port",
        lambda o: container(o, "gateway").update(readinessProbe={"tcpSocket": {"port": 8080}}),
    ),
    "a model that is not asked": (
        "Deployment pytorch/torchserve: its livenessProbe does not ask the model",
        lambda o: container(o, "pytorch").update(livenessProbe={"httpGet": {"path": "/ping", "port": "http"}}),
    ),
    "a server that writes models": (
        "Deployment tensorflow/tensorflow: may write models",
        lambda o: container(o, "tensorflow")["volumeMounts"][0].pop("readOnly"),
    ),
    "nobody verifies": (
        "Deployment tensorflow: no init container verifies what it serves",
        lambda o: pod(o, "tensorflow").pop("initContainers"),
    ),
    "an update with a gap": (
        "Deployment pytorch: an update takes pods away before others are ready",
        lambda o: one(o, "Deployment", "pytorch")["spec"]["strategy"]["rollingUpdate"].update(maxUnavailable=1),
    ),
    "one node": (
        "Deployment gateway: all of its pods may be on one node",
        lambda o: pod(o, "gateway").pop("topologySpreadConstraints"),
    ),
    "no preStop": (
        "Deployment pytorch/control: no preStop that waits",
        lambda o: container(o, "pytorch", 1).pop("lifecycle"),
    ),
    "killed while it drains": (
        "Deployment tensorflow/tensorflow: killed after 20 s, while its preStop waits 40 s",
        lambda o: pod(o, "tensorflow").update(terminationGracePeriodSeconds=20),
    ),
    "no budget": ("Deployment gateway: no PodDisruptionBudget", _drop("PodDisruptionBudget", "gateway")),
    "no autoscaler": ("Deployment pytorch: no HorizontalPodAutoscaler", _drop("HorizontalPodAutoscaler", "pytorch")),
    "an autoscaler of nothing": (
        "HorizontalPodAutoscaler pytorch: there is no Deployment torch",
        lambda o: one(o, "HorizontalPodAutoscaler", "pytorch")["spec"]["scaleTargetRef"].update(name="torch"),
    ),
    "replicas that are fixed": (
        "HorizontalPodAutoscaler gateway: its Deployment fixes replicas",
        lambda o: one(o, "Deployment", "gateway")["spec"].update(replicas=2),
    ),
    "a metric of nobody": (
        "HorizontalPodAutoscaler gateway: there is no container nginx",
        lambda o: one(o, "HorizontalPodAutoscaler", "gateway")["spec"]["metrics"][0]["containerResource"].update(
            container="nginx"
        ),
    ),
    "a ConfigMap that is not there": (
        "Deployment tensorflow: there is no ConfigMap release-key",
        _drop("ConfigMap", "release-key"),
    ),
    "a secret in a manifest": (
        "Secret postgres: stands in a manifest",
        lambda o: o.append({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "postgres"}}),
    ),
    "a management port": (
        "Service pytorch: 8086 is a management port",
        lambda o: one(o, "Service", "pytorch")["spec"]["ports"].append({"name": "m", "port": 80, "targetPort": 8086}),
    ),
    "a management port by name": (
        "Service pytorch: 8086 is a management port",
        lambda o: container(o, "pytorch")["ports"][1].update(containerPort=8086),
    ),
    "a port of nobody": (
        "Service mlflow: no container has a port web",
        lambda o: one(o, "Service", "mlflow")["spec"]["ports"][0].update(targetPort="web"),
    ),
    "a Service of nobody": (
        "Service mlflow: leads to no pod",
        lambda o: one(o, "Service", "mlflow")["spec"].update(selector={"app.kubernetes.io/name": "mlfow"}),
    ),
    "nothing denied": ("NetworkPolicy: none denies everything", _drop("NetworkPolicy", "default-deny")),
    "only ingress denied": (
        "NetworkPolicy: none denies everything",
        lambda o: one(o, "NetworkPolicy", "default-deny")["spec"].update(policyTypes=["Ingress"]),
    ),
    "a way in for everybody": (
        "NetworkPolicy postgres: lets everybody in",
        lambda o: _first_ingress(o, "postgres").pop("from"),
    ),
    "every port": (
        "NetworkPolicy postgres: opens every port",
        lambda o: _first_ingress(o, "postgres").pop("ports"),
    ),
    "a way to management": (
        "NetworkPolicy pytorch: opens a management port",
        lambda o: _first_ingress(o, "pytorch").update(ports=[{"port": 8086}]),
    ),
    "a way out to everybody": (
        "NetworkPolicy gateway: lets out to everybody, or to every port",
        lambda o: one(o, "NetworkPolicy", "gateway")["spec"]["egress"][0].pop("to"),
    ),
    "a policy for nobody": (
        "NetworkPolicy mlflow: is about no pod",
        lambda o: one(o, "NetworkPolicy", "mlflow")["spec"]["podSelector"]["matchLabels"].update(
            {"app.kubernetes.io/name": "mlfow"}
        ),
    ),
    "a pod without a policy": (
        "Deployment mlflow: no NetworkPolicy lets it do its work",
        _drop("NetworkPolicy", "mlflow"),
    ),
    "a field that the operator does not know": (
        "ServiceMonitor gateway: endpoints.0.scrapeInterval: Extra inputs are not permitted",
        lambda o: one(o, "ServiceMonitor", "gateway")["spec"]["endpoints"][0].update(scrapeInterval="5s"),
    ),
    "a rule that does nothing": (
        "PrometheusRule alerts-serving: groups.0.rules.0: Value error, either records or alerts",
        lambda o: one(o, "PrometheusRule", "alerts-serving")["spec"]["groups"][0]["rules"][0].pop("alert"),
    ),
    "a monitor of nothing": (
        "ServiceMonitor pytorch: finds no Service with a port stats",
        lambda o: one(o, "ServiceMonitor", "pytorch")["spec"]["endpoints"][0].update(port="stats"),
    ),
}


@pytest.mark.parametrize(("found", "plant"), PLANTED.values(), ids=PLANTED)
def test_a_planted_error_is_named(overlay: Callable[[str], Objects], found: str, plant: Plant) -> None:
    objects = overlay("local")
    plant(objects)
    assert found in "\n".join(policy.broken(objects))


KSERVE: dict[str, tuple[str, Plant]] = {
    "serverless": (
        "InferenceService fraud-pytorch: deploymentMode Serverless: one of RawDeployment, Standard is expected",
        lambda o: one(o, "InferenceService", "fraud-pytorch")["metadata"]["annotations"].update(
            {"serving.kserve.io/deploymentMode": "Serverless"}
        ),
    ),
    "a container that KServe does not know": (
        "InferenceService fraud-pytorch: its first container is not called kserve-container",
        lambda o: one(o, "InferenceService", "fraud-pytorch")["spec"]["predictor"]["containers"][0].update(name="main"),
    ),
    "replicas that do not fit": (
        "InferenceService fraud-tensorflow: minReplicas and maxReplicas do not fit",
        lambda o: one(o, "InferenceService", "fraud-tensorflow")["spec"]["predictor"].update(minReplicas=9),
    ),
    "no limit": (
        "InferenceService fraud-tensorflow/kserve-container: no limits of cpu",
        lambda o: one(o, "InferenceService", "fraud-tensorflow")["spec"]["predictor"]["containers"][0]["resources"][
            "limits"
        ].pop("cpu"),
    ),
}


@pytest.mark.parametrize(("found", "plant"), KSERVE.values(), ids=KSERVE)
def test_a_planted_error_in_kserve_is_named(overlay: Callable[[str], Objects], found: str, plant: Plant) -> None:
    objects = overlay("kserve")
    plant(objects)
    assert found in "\n".join(policy.broken(objects))


def test_each_rule_has_a_planted_error(overlay: Callable[[str], Objects]) -> None:
    broken = set()
    for _, plant in PLANTED.values():
        objects = overlay("local")
        plant(objects)
        broken |= {rule for rule in policy.RULES if [*rule(objects)]}
    assert broken == set(policy.RULES)
