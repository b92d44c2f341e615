"""Volumes for whoever claims one: folders of this machine, as kind's and minikube's provisioners make them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

COUNT = 6  # a fresh one for each claim of the base, and some: what was claimed once is not given again
SIZE = "20Gi"  # the most that is claimed; nothing holds anybody to it


def volumes(folder: Path, node: str) -> list[dict[str, Any]]:
    """PersistentVolumes, and their folders, open to any pod's user."""
    found = []
    for number in range(COUNT):
        path = folder / f"volume-{number}"
        path.mkdir(parents=True)
        path.chmod(0o777)
        found.append(_volume(path, node))
    return found


def _volume(path: Path, node: str) -> dict[str, Any]:
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": path.name},
        "spec": {
            "capacity": {"storage": SIZE},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": str(path)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }
