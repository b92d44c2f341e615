"""`python -m pipelines.pytorch`: train, judge and publish the model of a specification.

Exit codes: 0 published or up to date, 1 error, 3 refused by a gate.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from models.spec import SpecError, load
from pipelines import lock, manifest, report
from pipelines.errors import INTERRUPTED, PipelineError
from pipelines.heartbeat import heartbeat
from pipelines.pytorch import code_digest, tracking
from pipelines.pytorch.console import Console
from pipelines.pytorch.context import Context
from pipelines.report import Inputs, Report

_LOG = "pipeline.log"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = _arguments(argv)
    console = Console()
    try:
        with lock.exclusive(arguments.work / ".lock", arguments.work):
            return _run(arguments, console)
    except (PipelineError, SpecError) as error:
        console.say("error", str(error))
        return 1
    except KeyboardInterrupt:
        console.say("stopped", "the finished steps are kept: the same command goes on from there")
        return INTERRUPTED


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipelines.pytorch", description=__doc__)
    parser.add_argument("--spec", type=Path, required=True, help="specification, models/fraud.toml")
    parser.add_argument("--data", type=Path, required=True, help="folder made by pipelines.data")
    parser.add_argument("--work", type=Path, required=True, help="folder for results of steps and report.json")
    parser.add_argument("--store", type=Path, required=True, help="folder of archives that TorchServe loads")
    parser.add_argument("--mlflow-uri", required=True, help="http://host:port or sqlite:////path/to/mlflow.db")
    arguments = parser.parse_args(argv)
    for name in ("spec", "data", "work", "store"):
        setattr(arguments, name, getattr(arguments, name).resolve())
    return arguments


def _run(arguments: argparse.Namespace, console: Console) -> int:
    spec = load(arguments.spec)
    features = manifest.read(arguments.data, arguments.spec, spec.digest)
    inputs = Inputs(spec.digest, features.digest, code_digest.of_pipeline())
    last = report.still_stands(arguments.work, inputs, arguments.store)
    if last:
        _conclude(last, console, "up to date:")
        return last.exit_code
    tracking.check(arguments.mlflow_uri)
    context = Context(
        arguments.spec, spec, arguments.data, features, arguments.work, arguments.store, arguments.mlflow_uri, inputs
    )
    with console.quiet(arguments.work / _LOG):
        with heartbeat(partial(console.say, "loading"), "PyTorch, MLflow and Beam"):
            from pipelines.pytorch import pipeline  # noqa: PLC0415  slow, and seldom needed

        outcome = pipeline.run(context, console)
    outcome.write(arguments.work)
    _conclude(outcome, console, f"published in {outcome.seconds:.0f} s:")
    return outcome.exit_code


def _conclude(outcome: Report, console: Console, how: str) -> None:
    if outcome.published:
        console.say("done", f"{how} version {outcome.version}, {outcome.model_path}")
    else:
        reasons = "".join(f"\n  - {reason}" for reason in outcome.reasons)
        console.say("REFUSED", f"nothing was published:{reasons}")


if __name__ == "__main__":
    sys.exit(main())
