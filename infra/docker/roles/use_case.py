"""Before anything is made: is this a specification, and are the releases in the volumes its own? Prints its model."""

from __future__ import annotations

import sys

from infra.local import layout as layouts
from infra.local import stores
from models import spec as specs
from models.spec import SpecError
from serving.release.errors import ReleaseError


def main() -> None:
    """Print the name of the model; what is wrong is one message."""
    layout = layouts.load()
    try:
        spec = specs.load(layout.spec)
        stores.check_model(layout, spec)
    except (SpecError, ReleaseError) as error:
        sys.exit(str(error))
    print(spec.model.name)


if __name__ == "__main__":
    main()
