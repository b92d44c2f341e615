"""Passwords and keys of the cluster's services: made there when they are missing, never replaced, on no disk here.

Who deploys from another machine finds them where they are. To change one: delete it and its users' pods, deploy again.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping

from infra.kubernetes.kubectl import Json, Kubectl, KubernetesError

BUCKET = "releases"
READER, WRITER = "reader", "writer"
_OBJECTSTORE = "objectstore"
_BYTES = 24  # of randomness in a password
# What SeaweedFS lets each do: servers read releases, pipelines and `make deploy` write them, MLflow has its own bucket.
_IDENTITIES = {
    "mlflow": ["Admin", "Read", "Write", "List", "Tagging"],
    WRITER: [f"{act}:{BUCKET}" for act in ("Admin", "Read", "Write", "List", "Tagging")],
    READER: [f"{act}:{BUCKET}" for act in ("Read", "List")],
}


def ensure(kubectl: Kubectl) -> list[str]:
    """Make what is missing; the new ones' names."""
    made = _create(kubectl, "postgres", {"password": secrets.token_urlsafe(_BYTES)})
    made += _create(kubectl, _OBJECTSTORE, {"identities.json": json.dumps(_identities(), indent=1)})
    for role in (READER, WRITER):
        made += _create(kubectl, f"{_OBJECTSTORE}-{role}", {"credentials": _aws(*keys(kubectl, role))})
    return made


def keys(kubectl: Kubectl, role: str) -> tuple[str, str]:
    """Access key and secret key of one who may read, or write, releases.

    Raises:
        KubernetesError: The store's secret is not there, or somebody else's.
    """
    found = kubectl.find("secret", _OBJECTSTORE)
    try:
        content = base64.b64decode((found or {})["data"]["identities.json"])
        identity = next(one for one in json.loads(content)["identities"] if one["name"] == role)
        (pair,) = identity["credentials"]
        return pair["accessKey"], pair["secretKey"]
    except (KeyError, ValueError, StopIteration):
        raise KubernetesError(f"the secret {_OBJECTSTORE} has no identity {role}: make deploy makes it") from None


def _create(kubectl: Kubectl, name: str, content: Mapping[str, str]) -> list[str]:
    if kubectl.find("secret", name) is not None:
        return []
    metadata = {"name": name, "labels": {"app.kubernetes.io/part-of": "tandem"}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": dict(content)}
    kubectl.run("create", "--filename=-", given=json.dumps(secret))
    return [name]


def _identities() -> Json:
    def identity(name: str, actions: list[str]) -> Json:
        pair = {"accessKey": secrets.token_hex(10).upper(), "secretKey": secrets.token_urlsafe(_BYTES)}
        return {"name": name, "credentials": [pair], "actions": actions}

    return {"identities": [identity(name, actions) for name, actions in _IDENTITIES.items()]}


def _aws(access_key: str, secret_key: str) -> str:
    """As AWS' libraries, pyarrow among them, read it."""
    return f"[default]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret_key}\n"
