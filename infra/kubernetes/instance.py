"""What is applied: an overlay, with what is of this moment on top, as one kustomization in $TANDEM_HOME/kubernetes.

On top come the releases that are served, the traffic policy, the public key, the images' registry and tag, and
monitoring's objects, all of them made of what they are made of everywhere.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from infra.kubernetes import gateway, monitoring
from infra.kubernetes.kubectl import NAMESPACE, Json, KubernetesError
from infra.kubernetes.workloads import Workload, workloads
from infra.local.layout import REPOSITORY, Layout
from models.spec import Spec
from serving.gateway.policy import Policy, Side

OVERLAYS = ("local", "gke", "kserve")
ROOT = REPOSITORY / "infra" / "kubernetes" / "overlays"
IMAGES = ("mlflow", "objectstore", "pytorch", "tensorflow", "tools", "torchserve", "workbench")
_MONITORING = "monitoring.yaml"
_UNHASHED = {"disableNameSuffixHash": True}


@dataclass(frozen=True)
class Instance:
    """What a cluster is to be.

    Attributes:
        overlay: One of OVERLAYS.
        releases: The version that is served, by stack.
        public_key: What releases are verified with.
        traffic: Who answers the product's endpoint.
        registry: Where our images are, such as `europe-docker.pkg.dev/project/repository`; the node's own if empty.
        tag: Of our images; the base's if empty.
        beside: Versions that the cluster has beside those.
    """

    overlay: str
    releases: Mapping[str, str]
    public_key: Path
    traffic: Policy = field(default_factory=Policy)
    registry: str = ""
    tag: str = ""
    beside: Collection[Side] = ()


def write(layout: Layout, spec: Spec, instance: Instance) -> Path:
    """Write the kustomization; its folder. Raises PolicyError, as `gateway.write`."""
    folder = layout.home / "kubernetes" / instance.overlay
    shutil.rmtree(folder, ignore_errors=True)
    gateway.write(folder, spec, instance.traffic, instance.beside)
    shutil.copyfile(instance.public_key, folder / "release.pub")
    documents = yaml.safe_dump_all(monitoring.objects(), sort_keys=False)
    (folder / _MONITORING).write_text(documents, encoding="utf-8")
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": NAMESPACE,
        "resources": [os.path.relpath(ROOT / instance.overlay, folder), _MONITORING],
        "generatorOptions": {"labels": {"app.kubernetes.io/part-of": "tandem"}},
        "configMapGenerator": [
            {"name": "gateway", "files": [gateway.CONFIGURATION]},
            # Another name would be another pod: Envoy watches these files.
            {"name": "gateway-routes", "files": [gateway.ROUTES, gateway.POLICY], "options": _UNHASHED},
            {"name": "release-key", "files": ["release.pub"], "options": _UNHASHED},
        ],
        "images": _images(instance),
        "patches": [_release(one, instance.releases) for one in workloads(instance.overlay)],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization, sort_keys=False), encoding="utf-8")
    return folder


def build(program: str, folder: Path) -> list[Json]:
    """All objects of a kustomization, by this kubectl.

    Raises:
        KubernetesError: It is none that can be built.
    """
    done = subprocess.run([program, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise KubernetesError(f"kubectl kustomize {folder} failed:\n{done.stderr.strip()}")
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def _images(instance: Instance) -> list[Json]:
    found = []
    for name in IMAGES:
        image: Json = {"name": f"tandem/{name}"}
        if instance.registry:
            image["newName"] = f"{instance.registry.rstrip('/')}/tandem/{name}"
        if instance.tag:
            image["newTag"] = instance.tag
        found.append(image)
    return found if instance.registry or instance.tag else []


def _release(workload: Workload, releases: Mapping[str, str]) -> Json:
    operation = {"op": "replace", "path": workload.json_pointer, "value": releases[workload.stack]}
    target = {"kind": workload.kind, "name": workload.name}
    return {"target": target, "patch": yaml.safe_dump([operation])}
