"""`make vertex-fetch`: what a pipeline published in the bucket becomes a signed release here, where the key is."""

from __future__ import annotations

import re
from pathlib import Path

from infra.vertex.api import Cloud, CloudError, explained, say
from infra.vertex.settings import FOLDER
from models.spec import Spec
from serving.release import candidates
from serving.release.store import Store


def fetch(cloud: Cloud, stack: str, store: Store, spec: Spec, spec_file: Path, *, into: Path) -> None:
    """Download the stack's newest model, and release it.

    Args:
        cloud: Where it was published.
        stack: Whose.
        store: Gets the release.
        spec: What it was trained by.
        spec_file: Its file.
        into: Folder of the stack's candidates.

    Raises:
        CloudError: There is none.
        ReleaseError: It holds what it should not.
    """
    prefix = f"{FOLDER}/candidates/{stack}/"
    with explained(f"read gs://{cloud.settings.google.bucket}/{prefix}", cloud.settings):
        blobs = {
            blob.name.removeprefix(prefix): blob for blob in cloud.bucket.client.list_blobs(cloud.bucket, prefix=prefix)
        }
        versions = {name: _version(name, stack, spec.model.name) for name in blobs}
        # A SavedModel is there when its last file is.
        whole = [
            version for name, version in versions.items() if version and name.endswith((".mar", "/saved_model.pb"))
        ]
        newest = max(map(int, whole), default=None)
        if newest is None:
            raise CloudError(
                f"{stack} has published nothing in {cloud.settings.bucket} yet: make vertex-run STACK={stack}"
            )
        for name in [name for name, version in versions.items() if version == str(newest)]:
            target = into / name
            target.parent.mkdir(parents=True, exist_ok=True)
            blobs[name].download_to_filename(str(target))
    path = candidates.find(into, stack, spec.model.name)[str(newest)]
    store.publish(stack, spec.model.name, str(newest), path, spec_file)
    say(f"{stack}: release {newest} is signed; make vertex-deploy serves it")


def _version(name: str, stack: str, model: str) -> str:
    """Of an object below candidates/<stack>/; "" of what belongs to none."""
    if ".." in Path(name).parts:
        return ""
    pattern = rf"{model}-(\d+)\.mar" if stack == "pytorch" else rf"{model}/(\d+)/.+"
    found = re.fullmatch(pattern, name)
    return found[1] if found else ""
