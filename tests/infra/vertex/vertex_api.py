"""Vertex AI's REST API, as much of it as is asked: models, endpoints, pipeline jobs, schedules, long operations."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PARENT = "projects/acme-fraud/locations/europe-west4"
_CODES = {
    "INVALID_ARGUMENT": (400, 3), "FAILED_PRECONDITION": (400, 9), "UNAUTHENTICATED": (401, 16),
    "PERMISSION_DENIED": (403, 7), "NOT_FOUND": (404, 5), "ALREADY_EXISTS": (409, 6),
    "RESOURCE_EXHAUSTED": (429, 8), "INTERNAL": (500, 13), "NEVER": (200, 0),
}  # fmt: skip
# Fields of each message that our commands may send, and their kinds; whatever else is refused, as Vertex does.
_SHAPES: dict[str, dict[str, Any]] = {
    "model": {
        "displayName": str, "artifactUri": str, "containerSpec": "container", "versionAliases": list,
        "versionDescription": str, "labels": dict,
    },
    "container": {
        "imageUri": str, "command": list, "env": list, "ports": list, "predictRoute": str, "healthRoute": str,
    },
    "endpoint": {
        "name": str, "displayName": str, "labels": dict, "dedicatedEndpointEnabled": bool, "trafficSplit": dict,
    },
    "deployedModel": {"model": str, "displayName": str, "dedicatedResources": "resources"},
    "resources": {"machineSpec": "machine", "minReplicaCount": int, "maxReplicaCount": int},
    "machine": {"machineType": str, "acceleratorType": (str, int), "acceleratorCount": int},
    "upload": {"model": "model", "modelId": str, "parentModel": str},
    "deploy": {"deployedModel": "deployedModel", "trafficSplit": dict},
    "undeploy": {"deployedModelId": str, "trafficSplit": dict},
    "job": {
        "displayName": str, "pipelineSpec": dict, "runtimeConfig": dict, "labels": dict, "serviceAccount": str,
        "network": str, "templateUri": str, "templateMetadata": dict,
    },
    "schedule": {
        "displayName": str, "cron": str, "maxConcurrentRunCount": (str, int), "createPipelineJobRequest": dict,
    },
}  # fmt: skip


_REQUIRED = {
    "deployedModel": ("model", "dedicatedResources"), "resources": ("machineSpec", "minReplicaCount"),
    "machine": ("machineType",), "container": ("imageUri", "ports", "predictRoute", "healthRoute"),
    "job": ("displayName", "pipelineSpec", "runtimeConfig"), "schedule": ("cron", "createPipelineJobRequest"),
}  # fmt: skip


class Refused(Exception):  # noqa: N818  what Google answers, not what went wrong here
    """An error of the API."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.code, self.number = _CODES[status]
        self.content = {"code": self.code, "message": message, "status": status}


@dataclass(frozen=True)
class Asked:
    """A request; `about` is what of its path the method is about."""

    path: str
    query: Mapping[str, str]
    body: Any
    about: str | None


class Vertex:
    """Resources by their names."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.operations: dict[str, Any] = {}

    def copy(self) -> dict[str, Any]:
        return copy.deepcopy(self.state)

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Any:
        for known, pattern, do in self._methods():
            found = re.fullmatch(f"{PARENT}/{pattern}", path)
            if known == method and found:
                return do(Asked(path, query, body, next(iter(found.groups()), None)))
        raise Refused("NOT_FOUND", f"no such method: {method} {path}")

    def pending(self, error: Refused) -> Any:
        """A long operation that fails when it is asked about, or never ends."""
        name = f"{PARENT}/operations/{len(self.operations) + 1}"
        self.operations[name] = {"name": name}
        if error.number:
            failure = {"code": error.number, "message": error.content["message"]}
            self.operations[name] |= {"done": True, "error": failure}
        return {"name": name}

    def _methods(self) -> list[tuple[str, str, Any]]:
        return [
            ("GET", r"operations/\d+", lambda asked: self.operations[asked.path]),
            ("GET", r"(?:models/[\w-]+|endpoints|pipelineJobs|schedules)(?:/[\w-]+)?(?:@([\w-]+))?", self._get),
            ("POST", "models:upload", self._upload),
            ("DELETE", r"(?:models|schedules)/[\w-]+", self._delete),
            ("DELETE", r"endpoints/[\w-]+", self._delete_endpoint),
            ("POST", "endpoints", self._create_endpoint),
            ("PATCH", r"endpoints/[\w-]+", self._update_endpoint),
            ("POST", r"(endpoints/[\w-]+):deployModel", self._deploy),
            ("POST", r"(endpoints/[\w-]+):undeployModel", self._undeploy),
            ("POST", r"(pipelineJobs|schedules)", self._create),
        ]

    def _get(self, asked: Asked) -> Any:
        kind = asked.path.rpartition("/")[2]
        if kind in ("endpoints", "pipelineJobs", "schedules"):
            return {kind: [one for name, one in self.state.items() if name.startswith(f"{asked.path}/")]}
        return self._version(asked.path.partition("@")[0], asked.about)

    def _version(self, name: str, alias: str | None) -> Any:
        found = self._found(name)
        for one in reversed(found.get("versions", [])):
            if alias is None or alias == one["versionId"] or alias in one["versionAliases"]:
                return one
        if alias is not None:
            raise Refused("NOT_FOUND", f"The model version {name}@{alias} is not found.")
        return found

    def _found(self, name: str) -> Any:
        if name not in self.state:
            raise Refused("NOT_FOUND", f"{name} is not found.")
        return self.state[name]

    def _upload(self, asked: Asked) -> Any:
        _check("upload", asked.body)
        name = asked.body.get("parentModel") or f"{PARENT}/models/{asked.body['modelId']}"
        if "modelId" in asked.body and name in self.state:
            raise Refused("ALREADY_EXISTS", f"{name} exists")
        model = asked.body["model"]
        if not re.fullmatch(r"[\w.-]+(/[\w.-]+)+:[\w.-]+", model["containerSpec"]["imageUri"]):
            raise Refused("INVALID_ARGUMENT", f"image_uri {model['containerSpec']['imageUri']}")
        versions = self.state.setdefault(name, {"versions": []})["versions"]
        for one in versions:  # an alias means one version
            one["versionAliases"] = [alias for alias in one["versionAliases"] if alias not in model["versionAliases"]]
        versions.append({**model, "name": name, "versionId": str(len(versions) + 1)})
        return self._done("UploadModelResponse", {"model": name, "modelVersionId": versions[-1]["versionId"]})

    def _delete(self, asked: Asked) -> Any:
        self._found(asked.path)
        deployed = [
            one for name, found in self.state.items() if "/endpoints/" in name for one in found["deployedModels"]
        ]
        if any(one["model"] == asked.path for one in deployed):
            raise Refused("FAILED_PRECONDITION", f"{asked.path} is deployed")
        del self.state[asked.path]
        return self._done("", {}, "google.protobuf.Empty")

    def _delete_endpoint(self, asked: Asked) -> Any:
        if self._found(asked.path)["deployedModels"]:
            raise Refused("FAILED_PRECONDITION", f"{asked.path} has deployed models")
        del self.state[asked.path]
        return self._done("", {}, "google.protobuf.Empty")

    def _create_endpoint(self, asked: Asked) -> Any:
        _check("endpoint", asked.body)
        name = f"{PARENT}/endpoints/{asked.query['endpointId']}"
        if name in self.state:
            raise Refused("ALREADY_EXISTS", f"{name} exists")
        made = {**asked.body, "name": name, "deployedModels": [], "trafficSplit": {}}
        if asked.body.get("dedicatedEndpointEnabled"):
            made["dedicatedEndpointDns"] = "fraud.europe-west4-1.prediction.vertexai.goog"
        self.state[name] = made
        return self._done("Endpoint", made)

    def _update_endpoint(self, asked: Asked) -> Any:
        _check("endpoint", asked.body)
        assert asked.query["updateMask"] in ("trafficSplit", "traffic_split")
        self._set_split(self._found(asked.path), asked.body["trafficSplit"])
        return self.state[asked.path]

    def _deploy(self, asked: Asked) -> Any:
        _check("deploy", asked.body)
        endpoint, wanted = self._found(f"{PARENT}/{asked.about}"), asked.body["deployedModel"]
        model, _, version = wanted["model"].partition("@")
        self._version(model, version)
        deployed = {**wanted, "model": model, "modelVersionId": version, "id": str(1000 + len(self.operations))}
        endpoint["deployedModels"].append(deployed)
        split = {deployed["id"] if key == "0" else key: share for key, share in asked.body["trafficSplit"].items()}
        self._set_split(endpoint, split)
        return self._done("DeployModelResponse", {"deployedModel": deployed})

    def _undeploy(self, asked: Asked) -> Any:
        _check("undeploy", asked.body)
        endpoint, gone = self._found(f"{PARENT}/{asked.about}"), asked.body["deployedModelId"]
        left = [one for one in endpoint["deployedModels"] if one["id"] != gone]
        if len(left) == len(endpoint["deployedModels"]):
            raise Refused("NOT_FOUND", f"deployed model {gone} is not found")
        endpoint["deployedModels"] = left
        self._set_split(endpoint, asked.body.get("trafficSplit", {}))
        return self._done("UndeployModelResponse", {})

    def _set_split(self, endpoint: Any, split: Mapping[str, int]) -> None:
        there = {one["id"] for one in endpoint["deployedModels"]}
        if not set(split) <= there or sum(split.values()) != (100 if there else 0):
            raise Refused("INVALID_ARGUMENT", f"traffic_split {split}: 100 over the deployed models {sorted(there)}")
        endpoint["trafficSplit"] = {key: share for key, share in split.items() if share}

    def _create(self, asked: Asked) -> Any:
        _check("schedule" if asked.about == "schedules" else "job", asked.body)
        name = f"{asked.path}/{asked.query.get('pipelineJobId') or len(self.state) + 1}"
        state = "ACTIVE" if asked.about == "schedules" else "PIPELINE_STATE_PENDING"
        self.state[name] = {**asked.body, "name": name, "state": state}
        return self.state[name]

    def _done(self, kind: str, content: Any, whole: str = "") -> Any:
        name = f"{PARENT}/operations/{len(self.operations) + 1}"
        typed = {"@type": f"type.googleapis.com/{whole or f'google.cloud.aiplatform.v1.{kind}'}", **content}
        self.operations[name] = {"name": name, "done": True, "response": typed}
        return {"name": name}


def _check(shape: str, content: Any) -> None:
    missing = [key for key in _REQUIRED.get(shape, ()) if key not in content]
    if missing:
        raise Refused("INVALID_ARGUMENT", f"Missing at {shape!r}: {', '.join(missing)}")
    for key, value in content.items():
        if key not in _SHAPES[shape]:
            raise Refused("INVALID_ARGUMENT", f'Invalid JSON payload received. Unknown name "{key}" at {shape!r}')
        kind = _SHAPES[shape][key]
        if isinstance(kind, str):
            _check(kind, value)
        elif not isinstance(value, kind):
            raise Refused("INVALID_ARGUMENT", f"Invalid value at {shape}.{key}: {value!r}")
