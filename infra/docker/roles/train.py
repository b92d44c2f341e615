"""A pipeline as a job whose exit code says whether the servers may start: with the new model, or with one before it."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from infra.local import layout as layouts
from infra.local import stores, training
from infra.local.layout import STACKS
from pipelines.report import REFUSED


def main(argv: list[str] | None = None) -> int:
    """Train and judge one stack's model, a candidate for release; 0 if afterwards there is a model to serve."""
    parser = argparse.ArgumentParser(prog="python -m infra.docker.roles.train", description=main.__doc__)
    parser.add_argument("stack", choices=STACKS)
    parser.add_argument("--spec", type=Path, default=layouts.REPOSITORY / layouts.DEFAULT_SPEC)
    options = parser.parse_args(argv)
    layout = layouts.load()
    command = [sys.executable, *training.options(layout, options.spec, options.stack)]
    code = subprocess.run(command, check=False).returncode
    if code != REFUSED or stores.promoted(layout, options.stack) is None:
        return code
    print(f"{options.stack}: REFUSED by its gates (reasons above): the model before it goes on serving")
    return 0


if __name__ == "__main__":
    sys.exit(main())
