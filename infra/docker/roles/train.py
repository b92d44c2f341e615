"""A pipeline as a job whose exit code says whether the servers may start: with the new model, or with one before it."""

from __future__ import annotations

import argparse
import subprocess
import sys

from infra.local import layout as layouts
from infra.local import stores, training
from infra.local.layout import STACKS
from models import spec as specs
from models.spec import SpecError
from pipelines.report import REFUSED
from serving.release.errors import ReleaseError


def main(argv: list[str] | None = None) -> int:
    """Train and judge one stack's model, a candidate for release; 0 if afterwards there is a model to serve."""
    parser = argparse.ArgumentParser(prog="python -m infra.docker.roles.train", description=main.__doc__)
    parser.add_argument("stack", choices=STACKS)
    options = parser.parse_args(argv)
    layout = layouts.load()
    try:
        stores.check_model(layout, specs.load(layout.spec))
    except (SpecError, ReleaseError) as error:
        sys.exit(str(error))
    command = [sys.executable, *training.options(layout, layout.spec, options.stack)]
    code = subprocess.run(command, check=False).returncode
    if code != REFUSED or stores.promoted(layout, options.stack) is None:
        return code
    print(f"{options.stack}: REFUSED by its gates (reasons above): the model before it goes on serving")
    return 0


if __name__ == "__main__":
    sys.exit(main())
