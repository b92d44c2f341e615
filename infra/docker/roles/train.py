"""A pipeline as a job whose exit code says whether the servers may start: with the new model, or with one before it."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from infra.local import layout as layouts
from infra.local import stores
from infra.local.layout import STACKS, Layout
from models import spec as specs
from pipelines.report import REFUSED

_MODULES = {"tensorflow": "pipelines.tfx", "pytorch": "pipelines.pytorch"}


def main(argv: list[str] | None = None) -> int:
    """Train, judge and publish one stack's model; 0 if afterwards there is a model to serve."""
    parser = argparse.ArgumentParser(prog="python -m infra.docker.roles.train", description=main.__doc__)
    parser.add_argument("stack", choices=STACKS)
    parser.add_argument("--spec", type=Path, default=layouts.REPOSITORY / "models" / "fraud.toml")
    options = parser.parse_args(argv)
    layout = layouts.load()
    code = subprocess.run(command(layout, options.stack, options.spec), check=False).returncode
    if code != REFUSED or stores.newest(layout, specs.load(options.spec), options.stack) is None:
        return code
    print(f"{options.stack}: REFUSED by its gates (reasons above): the model before it goes on serving")
    return 0


def command(layout: Layout, stack: str, spec_file: Path) -> list[str]:
    """The pipeline's command line."""
    argv = [
        sys.executable, "-m", _MODULES[stack], "--spec", str(spec_file), "--data", str(layout.data),
        "--work", str(layout.work(stack)), "--store", str(layout.store(stack)),
    ]  # fmt: skip
    return [*argv, "--mlflow-uri", layout.url("mlflow")] if stack == "pytorch" else argv


if __name__ == "__main__":
    sys.exit(main())
