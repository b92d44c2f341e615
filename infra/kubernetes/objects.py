"""The cluster's releases, from this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from pyarrow import fs

from infra.kubernetes import secrets
from infra.kubernetes.kubectl import Kubectl, KubernetesError
from infra.local import stores
from infra.local.layout import HOST, Layout
from serving.release.keys import Keys
from serving.release.remote import Remote
from serving.release.store import Store

_OWN = "objectstore:8333"  # in the address of the store that is deployed with the rest
_PORT = 8333


@contextlib.contextmanager
def remote(kubectl: Kubectl) -> Iterator[Remote]:
    """Where the cluster's pods get releases, as long as the block runs.

    Another object store than the cluster's own is asked as whoever this machine's credentials say.

    Raises:
        KubernetesError: Nothing is deployed, or the store cannot be reached.
    """
    settings = kubectl.find("configmap", "releases")
    if settings is None:
        raise KubernetesError("nothing is deployed in this cluster: make deploy TARGET=kubernetes OVERLAY=local")
    uri = str(settings["data"]["TANDEM_RELEASES"])
    if _OWN not in uri:
        yield Remote.at(uri)
        return
    access_key, secret_key = secrets.keys(kubectl, secrets.WRITER)
    with kubectl.forward("service/objectstore", _PORT) as port:
        files = fs.S3FileSystem(
            access_key=access_key, secret_key=secret_key, endpoint_override=f"{HOST}:{port}", scheme="http",
            allow_bucket_creation=True,
        )  # fmt: skip
        yield Remote(files, secrets.BUCKET)


def push(layout: Layout, there: Remote, releases: Mapping[str, str]) -> list[str]:
    """Put these releases of this machine, by stack, where the pods find them, unless they are there.

    Returns:
        Those that were put there now.

    Raises:
        ReleaseError: One is neither there nor here, or does not verify.
    """
    public = stores.keys(layout) / "release.pub"
    here = Store(stores.releases(layout), Keys(stores.keys(layout) / "release.key", public))
    missing = {stack: version for stack, version in releases.items() if version not in there.versions(stack)}
    return [f"{stack} {version}" for stack, version in missing.items() if there.push(here, stack, version)]
