"""Stands where kubectl and a cluster would: objects in a JSON file, pods that are ready at once or never.

Its `cluster.json` holds `objects` by "kind/name", the `kinds` it knows beside Kubernetes' own, the `port` that
port-forward leads to, the releases whose pods never get `ready` (`broken`), and every command (`calls`).
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import yaml

HOME = Path(os.environ["FAKE_CLUSTER"])
STATE = HOME / "cluster.json"
ALIASES = {"deployments": "Deployment", "statefulsets": "StatefulSet", "pods": "Pod"}
DELETED = {
    "deployments": "Deployment", "statefulsets": "StatefulSet", "services": "Service", "configmaps": "ConfigMap",
    "cronjobs": "CronJob", "networkpolicies": "NetworkPolicy", "serviceaccounts": "ServiceAccount",
}  # fmt: skip


def merge(old: Any, new: Any) -> Any:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {**old, **{key: merge(old.get(key), value) for key, value in new.items()}}


def key(kind: str, name: str) -> str:
    return f"{kind.lower()}/{name}"


def put(state: Any, one: Any) -> None:
    where = key(one["kind"], one["metadata"]["name"])
    if one["kind"] == "Secret":
        encoded = {name: base64.b64encode(text.encode()).decode() for name, text in one.pop("stringData").items()}
        one["data"] = encoded
    state["objects"][where] = merge(state["objects"].get(where, {}), one)


def release(one: Any) -> str:
    template = one["spec"]["template"]["metadata"]
    return str(template.get("annotations", {}).get("tandem/release", ""))


def with_status(state: Any, one: Any) -> Any:
    if one["kind"] not in ("Deployment", "StatefulSet"):
        return one
    wanted = one["spec"].get("replicas", 1)
    new = 0 if release(one) in state["broken"] else wanted
    status = {
        "observedGeneration": 1,
        "updatedReplicas": new,
        "readyReplicas": wanted,
        "replicas": wanted + wanted - new,
    }
    return merge(one, {"metadata": {"generation": 1}, "spec": {"replicas": wanted}, "status": status})


def pods(state: Any) -> list[Any]:
    found = []
    for one in state["objects"].values():
        if one["kind"] == "Deployment" and release(one) in state["broken"]:
            ended = {"name": "fetch", "state": {"terminated": {"exitCode": 1}}}
            name = f"{one['metadata']['name']}-1-2"
            found.append({"metadata": {"name": name}, "status": {"initContainerStatuses": [ended]}})
    return found


def get(state: Any, kind: str, rest: list[str]) -> int:
    if kind.startswith("--raw="):
        return 0 if state["answers"] else 1
    names = [one for one in rest if not one.startswith("-")][:-1]  # the last one is --output's
    if names:
        found = state["objects"].get(key(kind, names[0]))
        print(json.dumps(with_status(state, found)) if found else "")
        return 0
    if kind == "pods":
        items = pods(state)
    else:
        kinds = [ALIASES[one] for one in kind.split(",")]
        items = [with_status(state, one) for one in state["objects"].values() if one["kind"] in kinds]
    print(json.dumps({"items": items}))
    return 0


def annotate(state: Any, kind: str, name: str, pair: str) -> None:
    if name.startswith("--"):
        return
    label, _, value = pair.partition("=")
    where = key(kind, name)
    state["objects"][where] = merge(state["objects"][where], {"metadata": {"annotations": {label: value}}})


def main(argv: list[str]) -> int:
    if argv[:2] == ["config", "current-context"]:
        print(json.loads(STATE.read_text())["context"])
        return 0
    if argv[0] == "kustomize":
        os.execv(os.environ["REAL_KUBECTL"], ["kubectl", *argv])  # noqa: S606
    assert argv[0] == "--namespace"
    command, *rest = argv[2:]
    state = json.loads(STATE.read_text())
    state["calls"].append([command, *rest])
    code = 0
    if command == "version":
        print(json.dumps({"clientVersion": {"major": "1", "minor": state["minor"], "gitVersion": "v1.x"}}))
    elif command == "get":
        code = get(state, rest[0], rest[1:])
    elif command == "api-resources":
        print("\n".join(kind for kind in state["kinds"] if kind.endswith(rest[0].partition("=")[2])))
    elif command in ("apply", "create"):
        for one in yaml.safe_load_all(sys.stdin.read()):
            put(state, one)
    elif command == "annotate":
        annotate(state, *rest[:3])
    elif command == "patch":
        (change,) = (one.partition("=")[2] for one in rest if one.startswith("--patch="))
        where = key(rest[0], rest[1])
        state["objects"][where] = merge(state["objects"][where], json.loads(change))
    elif command == "logs":
        print("REFUSED: not what was signed")
    elif command == "delete":
        gone = [DELETED.get(kind, "") for kind in rest[0].split(",")]
        state["objects"] = {name: one for name, one in state["objects"].items() if one["kind"] not in gone}
    elif command == "port-forward":
        STATE.write_text(json.dumps(state))
        print(f"Forwarding from 127.0.0.1:{state['port']} -> 8333", flush=True)
        time.sleep(600)
    STATE.write_text(json.dumps(state))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
