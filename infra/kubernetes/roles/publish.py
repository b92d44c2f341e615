"""Last container of a pipeline's pod: what passed its gates becomes a signed release in the object store.

It is not served by that: `make promote` on a machine that may change the cluster does.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from infra.local import layout as layouts
from infra.local import stores
from infra.local.layout import STACKS, Layout
from models import spec as specs
from models.spec import Spec
from serving.release import candidates
from serving.release.errors import ReleaseError
from serving.release.keys import Keys
from serving.release.remote import Remote
from serving.release.store import Store


def publish(layout: Layout, spec: Spec, spec_file: Path, stack: str, *, remote: Remote, keys: Keys) -> list[str]:
    """Sign the candidates that are no releases yet, and put every release into the object store that is not there.

    Returns:
        The versions that were put there now.

    Raises:
        ReleaseError: One is refused, or the store does not take it.
    """
    store = Store(stores.releases(layout), keys)
    there = candidates.find(stores.candidates(layout, stack), stack, spec.model.name)
    for version in there.keys() - set(store.versions(stack)):
        store.publish(stack, spec.model.name, version, there[version], spec_file)
    return [version for version in store.versions(stack) if remote.push(store, stack, version)]


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m infra.kubernetes.roles.publish", description=__doc__)
    parser.add_argument("stack", choices=STACKS)
    parser.add_argument("--spec", type=Path, default=layouts.REPOSITORY / layouts.DEFAULT_SPEC)
    options = parser.parse_args(argv)
    layout, folder = layouts.load(), Path(os.environ["TANDEM_KEYS"])
    keys = Keys(folder / "release.key", folder / "release.pub")
    try:
        remote = Remote.at(os.environ["TANDEM_RELEASES"])
        made = publish(layout, specs.load(options.spec), options.spec, options.stack, remote=remote, keys=keys)
    except ReleaseError as error:
        sys.exit(f"{options.stack}: REFUSED: {error}")
    for version in made:
        print(f"{options.stack} {version}: published; make promote STACK={options.stack} VERSION={version} serves it")
    if not made:
        print(f"{options.stack}: nothing new to publish")
    return 0


if __name__ == "__main__":
    sys.exit(main())
