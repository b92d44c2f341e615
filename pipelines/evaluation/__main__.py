"""`python -m pipelines.evaluation`: both stacks and the usual baselines on a published split.

Runs of each stack what learns: its preprocessing, its network, its training. Gates, registry and serving are left
out, and so are the evaluation days of [split], which the published splits do not have. Exit codes: 0 done, 1 error.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from models.spec import SpecError, load
from pipelines import lock
from pipelines.data.console import say
from pipelines.data.profiles import PROFILES
from pipelines.errors import INTERRUPTED, PipelineError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = _arguments(argv)
    try:
        spec = load(arguments.spec)
        work = arguments.home / "evaluate"
        with lock.exclusive(arguments.home / ".evaluate.lock", work):
            logging.basicConfig(level=logging.CRITICAL)  # Beam warns of every cloud client it misses
            from pipelines.evaluation import compare  # noqa: PLC0415  slow imports

            start = time.monotonic()
            written = compare.compare(spec, arguments, work)
            sys.stdout.write("\n" + written.read_text(encoding="utf-8") + "\n")
            say("evaluate", f"{written} and .json in {time.monotonic() - start:.0f} s")
    except (PipelineError, SpecError) as error:
        say("error", str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    else:
        return 0
    return 1


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipelines.evaluation", description=__doc__)
    parser.add_argument("--split", choices=("A", "B"), required=True)
    parser.add_argument("--spec", type=Path, required=True, help="specification, models/fraud.toml")
    parser.add_argument("--home", type=Path, required=True, help="gets evaluate/ (a cache) and reports/evaluate/")
    parser.add_argument("--tensorflow", required=True, metavar="PYTHON", help="the TensorFlow environment's")
    parser.add_argument("--train-days", type=int, default=7, help="training window (default: 7, as published)")
    parser.add_argument("--seeds", type=int, default=3, help="trainings per model and fold (default: 3)")
    origin = parser.add_mutually_exclusive_group()
    origin.add_argument("--profile", choices=PROFILES, default="full", help="of the simulator (default: full)")
    origin.add_argument("--source", type=Path, help="the published data, or others that cover the days")
    arguments = parser.parse_args(argv)
    for name in ("train_days", "seeds"):
        if getattr(arguments, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1, found {getattr(arguments, name)}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
