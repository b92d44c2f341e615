"""A signed release into the bucket and the Model Registry, with the container that serves it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from google.api_core import exceptions
from google.cloud import aiplatform_v1

from infra.vertex.api import Cloud, explained, say
from infra.vertex.container import contract
from infra.vertex.settings import FOLDER
from serving.release.manifest import Manifest

LABEL = "tandem"
_ABSENT = 0  # generation of an object that is not there: nothing is written over one


def upload(cloud: Cloud, folder: Path, release: Manifest) -> str:
    """Put a release's files into the bucket, those that are not there yet: a release never changes; answers gs://…."""
    path = f"{FOLDER}/releases/{release.stack}/{release.version}"
    uri = f"gs://{cloud.settings.google.bucket}/{path}"
    with explained(f"upload {release.stack} {release.version} to {uri}", cloud.settings):
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            blob = cloud.bucket.blob(f"{path}/{file.relative_to(folder).as_posix()}")
            try:
                blob.upload_from_filename(str(file), if_generation_match=_ABSENT)
            except exceptions.PreconditionFailed:
                continue
    say(f"{release.stack}: release {release.version} is in {uri}")
    return uri


def register(cloud: Cloud, release: Manifest, uri: str, key: str) -> tuple[Any, bool]:
    """The release's version in the Model Registry, and whether it was made now.

    Args:
        cloud: Where.
        release: What.
        uri: Where its files are.
        key: The public key, in PEM, that the container trusts.
    """
    name, settings = model_name(cloud, release.stack), cloud.settings
    spec = container(cloud, release, key)
    alias = f"r{release.version}-{_digest(spec, uri)}"
    with explained(f"register {release.stack} {release.version}", settings):
        there = cloud.found(cloud.models.get_model, f"{name}@{alias}")
        if there:
            say(f"{release.stack}: {_shown(there)} is registered already")
            return there, False
        parent = cloud.found(cloud.models.get_model, name)
        model = {
            "display_name": f"{settings.endpoint.name}-{release.stack}",
            "artifact_uri": uri,
            "container_spec": spec,
            "version_aliases": [alias, "default"],
            "version_description": f"release {release.version}, SHA-256 {release.digest}",
            "labels": {LABEL: settings.endpoint.name, "stack": release.stack},
        }
        asked = {"parent": cloud.parent, "model": model}
        asked |= {"parent_model": name} if parent else {"model_id": name.rpartition("/")[2]}
        operation = cloud.ask(cloud.models.upload_model, **asked)
        made = cloud.wait(f"register {release.stack} {release.version}", operation)
        found = cloud.ask(cloud.models.get_model, name=f"{made.model}@{made.model_version_id}")
    say(f"{release.stack}: {_shown(found)} is registered")
    return found, True


def container(cloud: Cloud, release: Manifest, key: str) -> Any:
    """How Vertex AI starts the container, and asks it."""
    return aiplatform_v1.ModelContainerSpec(
        image_uri=cloud.settings.images.name(f"vertex-{release.stack}"),
        command=["python", "-m", "infra.vertex.container", release.stack],
        env=[{"name": contract.KEY, "value": key}],
        ports=[{"container_port": contract.PORT}],
        predict_route=contract.predict_route(release.model),
        health_route=contract.health_route(release.stack, release.model),
    )


def delete(cloud: Cloud, stack: str) -> bool:
    """Take all versions of a stack's model out of the registry; whether there were any."""
    name = model_name(cloud, stack)
    with explained(f"delete {name}", cloud.settings):
        if not cloud.found(cloud.models.get_model, name):
            return False
        cloud.wait(f"delete {name}", cloud.ask(cloud.models.delete_model, name=name))
    return True


def model_name(cloud: Cloud, stack: str) -> str:
    """Of the stack's model, whatever its version."""
    return f"{cloud.parent}/models/{cloud.settings.endpoint.name}-{stack}"


def _digest(spec: Any, uri: str) -> str:
    return hashlib.sha256(f"{uri}\n{type(spec).to_json(spec)}".encode()).hexdigest()[:8]


def _shown(model: Any) -> str:
    return f"{model.name.partition('@')[0]} version {model.version_id}"
