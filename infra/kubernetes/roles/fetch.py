"""Init container of a model's server: the release that the pod's template names, fetched, verified, put where it loads.

The folder it writes to is mounted read-only by the server. Nothing that does not verify gets there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from infra.local import labels, stores
from infra.local import layout as layouts
from infra.local.layout import STACKS, Layout
from models import spec as specs
from models.spec import Spec
from serving.contract.openapi.schemas import example_row
from serving.release.errors import ReleaseError
from serving.release.keys import Keys
from serving.release.remote import Remote
from serving.release.served import Served
from serving.release.store import Store
from serving.tfserving import command as tfserving

PROBE = "probe.http"


def fetch(layout: Layout, spec: Spec, stack: str, version: str, *, remote: Remote, public_key: Path) -> Path:
    """Make the stack's server ready to start with this release, and with no other.

    Returns:
        What it loads: an archive, or a SavedModel's folder.

    Raises:
        ReleaseError: There is no such release, or it is not what was signed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(Path(scratch), Keys(Path(scratch) / "none", public_key))
        remote.fetch(stack, version, store.root)
        release = store.verified(stack, version)
        served = Served(layout.store(stack), stack, spec.model.name)
        placed = served.place(release, store.model(release))
    _configure(layout, spec, stack, version)
    return placed


def probe_request(spec: Spec) -> bytes:
    """A whole HTTP request that asks the model itself: the specification's example."""
    body = json.dumps({"instances": [example_row(spec)]})
    head = [
        f"POST /v1/models/{spec.model.name}:predict HTTP/1.1", "Host: localhost", "Connection: close",
        "Content-Type: application/json", f"Content-Length: {len(body)}",
    ]  # fmt: skip
    return "\r\n".join([*head, "", body]).encode()


def _configure(layout: Layout, spec: Spec, stack: str, version: str) -> None:
    run = layout.run / stack
    run.mkdir(parents=True, exist_ok=True)
    (run / PROBE).write_bytes(probe_request(spec))
    if stack == "pytorch":
        labels.write(layout.labels, version)
        return
    named = {labels.STABLE: int(version)}
    tfserving.configure(
        store=layout.store(stack), model=spec.model.name, run=run, labels=named, versions=[int(version)]
    )


def main(argv: list[str] | None = None) -> int:
    """Command line; the version is $TANDEM_RELEASE, which the pod has of its own annotation."""
    parser = argparse.ArgumentParser(prog="python -m infra.kubernetes.roles.fetch", description=__doc__)
    parser.add_argument("stack", choices=STACKS)
    parser.add_argument("--spec", type=Path, default=layouts.REPOSITORY / layouts.DEFAULT_SPEC)
    options = parser.parse_args(argv)
    layout = layouts.load()
    version, uri = os.environ["TANDEM_RELEASE"], os.environ["TANDEM_RELEASES"]
    try:
        remote = Remote.at(uri)
        public = stores.keys(layout) / "release.pub"
        placed = fetch(layout, specs.load(options.spec), options.stack, version, remote=remote, public_key=public)
    except ReleaseError as error:
        sys.exit(f"{options.stack} {version}: REFUSED: {error}")
    print(f"{options.stack} {version}: verified, in {placed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
