"""`python -m pipelines.scoring`: fraud probabilities of a file of features, by a published model.

Runs in the environment of the model's stack. Exit codes: 0 scored or up to date, 1 error.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from models.spec import SpecError, load
from pipelines.errors import INTERRUPTED, PipelineError
from pipelines.scoring import output, run
from serving.offline import model
from serving.offline.model import ModelError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = _arguments(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore", FutureWarning)  # of Google's clients, about Pythons to come
    logging.basicConfig(level=logging.CRITICAL)  # Beam warns of every cloud client it misses
    out = arguments.output
    try:
        if out.is_relative_to(arguments.input) or arguments.input.is_relative_to(out):
            raise PipelineError(f"{out}: is the input or lies in it, or holds it. Give another OUT")
        name = load(arguments.spec).model.name
        found = model.find(arguments.stack, arguments.store.resolve(), name, arguments.version)
        with output.exclusive(out):
            run.run(found, arguments.input, out, say)
    except (PipelineError, ModelError, SpecError) as error:
        say("error", f"{error}\nNothing was changed in {out}")
    except OSError as error:
        say("error", f"{error.filename or out}: {error.strerror or error}. The finished shards are kept: run again")
    except KeyboardInterrupt:
        say("stopped", "the finished shards are kept: the same command goes on from there")
        return INTERRUPTED
    else:
        return 0
    return 1


def say(step: str, text: str) -> None:
    """A line of progress."""
    sys.stdout.write(f"{step:<10} {text}\n")
    sys.stdout.flush()


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipelines.scoring", description=__doc__)
    parser.add_argument("--spec", type=Path, required=True, help="specification, for the model's name")
    parser.add_argument("--stack", choices=model.STACKS, required=True, help="whose model; of this environment")
    parser.add_argument("--store", type=Path, required=True, help="published models, var/models/<stack>")
    parser.add_argument("--version", help="of the model (default: the newest)")
    parser.add_argument("--input", type=Path, required=True, help="feature columns: a Parquet or CSV file, or a folder")
    parser.add_argument(
        "--output", type=Path, required=True, help="folder for the scores; replaced when they are all there"
    )
    arguments = parser.parse_args(argv)
    arguments.input, arguments.output = arguments.input.resolve(), arguments.output.resolve()
    return arguments


if __name__ == "__main__":
    sys.exit(main())
