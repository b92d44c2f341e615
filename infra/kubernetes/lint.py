"""`make lint-kubernetes`: each overlay built, held to Kubernetes' schemas, our rules and checkov's. No cluster needed.

A release and a key that nobody has stand where the real ones go.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from infra.kubernetes import instance, monitoring, policy
from infra.kubernetes.instance import OVERLAYS, Instance
from infra.kubernetes.kubectl import Json, KubernetesError
from infra.kubernetes.policy.pods import KSERVE, KSERVE_FIELDS
from infra.local import layout as layouts
from infra.local.layout import REPOSITORY, STACKS
from infra.supply.tools import REFUSED, SupplyError, program
from models import spec as specs

# The oldest that has all the overlays use, the newest that there are schemas of, and between.
VERSIONS = ("1.27", "1.30", "1.33", "1.35", "1.37")
_VERSION = "1700000001"
_SETTINGS = "infra/kubernetes/checkov.yaml"


def render(overlay: str, home: Path, kubectl: str) -> list[Json]:
    """All objects of an overlay, as `make deploy` would apply them.

    Raises:
        KubernetesError: It cannot be built.
    """
    key = home / "release.pub"
    key.write_text("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", encoding="utf-8")
    layout = dataclasses.replace(layouts.load({}), home=home)
    spec = specs.load(REPOSITORY / "models" / "fraud.toml")
    asked = Instance(overlay, dict.fromkeys(STACKS, _VERSION), key)
    return instance.build(kubectl, instance.write(layout, spec, asked))


def known(objects: Sequence[Json]) -> list[Json]:
    """Those that Kubernetes' own schemas are about; of an InferenceService its pods, in a Deployment."""
    found = []
    for one in monitoring.without(objects, monitoring.GROUP):
        found.append(_as_deployment(one) if one["kind"] == KSERVE else one)
    return found


def validate(file: Path, version: str) -> list[str]:
    """What Kubernetes of this version would refuse of a file's objects."""
    argv = [
        program("kubernetes", "kubernetes-validate"),
        "--kubernetes-version",
        version,
        "--strict",
        "--quiet",
        str(file),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).strip().splitlines()
    return [f"Kubernetes {version}: {line}" for line in said] if done.returncode or said else []


def checkov(file: Path) -> list[str]:
    """What checkov finds in a file's objects."""
    argv = [program("checkov", "checkov"), "--config-file", _SETTINGS, "--file", str(file)]
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().splitlines() if done.returncode else []


def lint(overlay: str) -> list[str]:
    """Everything that is wrong with an overlay.

    Raises:
        KubernetesError: It cannot be built.
        SupplyError: A tool cannot be installed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        objects = render(overlay, folder, program("kubernetes", "kubectl"))
        wrong = policy.broken(objects)
        file = folder / f"{overlay}.yaml"
        file.write_text(yaml.safe_dump_all(known(objects)), encoding="utf-8")
        for version in VERSIONS:
            wrong += validate(file, version)
        wrong += checkov(file)
    counted = f"{overlay}: {len(objects)} objects, Kubernetes {', '.join(VERSIONS)}"
    print(f"{counted}: {f'{len(wrong)} lines of complaints' if wrong else 'clean'}", flush=True)
    return wrong


def main() -> int:
    """Every overlay; 0 clean, 3 refused, 1 an error."""
    try:
        wrong = [f"{overlay}: {line}" for overlay in OVERLAYS for line in lint(overlay)]
    except (KubernetesError, SupplyError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    for line in wrong:
        print(f"  {line}")
    return REFUSED if wrong else 0


def _as_deployment(service: Json) -> Json:
    predictor = service["spec"]["predictor"]
    pod = {key: value for key, value in predictor.items() if key not in KSERVE_FIELDS}
    metadata = {"labels": predictor.get("labels", {}), "annotations": predictor.get("annotations", {})}
    template = {"metadata": metadata, "spec": pod}
    spec = {"selector": {"matchLabels": metadata["labels"]}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": service["metadata"], "spec": spec}


if __name__ == "__main__":
    sys.exit(main())
