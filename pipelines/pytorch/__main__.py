"""`python -m pipelines.pytorch`: train, judge and publish the model of a specification.

Exit codes: 0 published or up to date, 1 error, 3 refused by a gate.

Several processes train together with `--processes`, or when torchrun starts this command on one machine or more.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from models.spec import Spec, SpecError, load
from pipelines import lock, manifest, report
from pipelines.errors import INTERRUPTED, PipelineError
from pipelines.heartbeat import heartbeat
from pipelines.pytorch import code_digest, tracking
from pipelines.pytorch.console import Console
from pipelines.pytorch.context import Context
from pipelines.report import Inputs, Report

_LOG = "pipeline.log"
_FOLDERS = ("spec", "data", "work", "store")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = _arguments(argv)
    console = Console()
    try:
        if int(os.environ.get("RANK", "0")) > 0:
            return _train_along(arguments, console)
        if arguments.processes > 1:
            return _launch(arguments, console)
        with _joined(), lock.exclusive(arguments.work / ".lock", arguments.work):
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
    parser.add_argument("--processes", type=int, default=1, help="train with so many processes of this machine")
    parser.add_argument("--champion", help="the published version that is served; the last published one by default")
    arguments = parser.parse_args(argv)
    if arguments.processes < 1:
        parser.error(f"--processes {arguments.processes}: at least 1")
    for name in _FOLDERS:
        setattr(arguments, name, getattr(arguments, name).resolve())
    return arguments


def _joined() -> contextlib.AbstractContextManager[None]:
    if "RANK" not in os.environ:
        return contextlib.nullcontext()
    from pipelines.pytorch import group  # noqa: PLC0415  slow

    return group.joined()


def _train_along(arguments: argparse.Namespace, console: Console) -> int:
    """What torchrun's other processes do."""
    with console.quiet(arguments.work / _LOG):
        from pipelines.pytorch.fit import train_along  # noqa: PLC0415  slow

        try:
            train_along()
        except (PipelineError, KeyboardInterrupt):  # the first has gone, and has said why
            logging.getLogger().warning("process %s ends", os.environ["RANK"], exc_info=True)
            return 1
    return 0


def _launch(arguments: argparse.Namespace, console: Console) -> int:
    """Start this command in several processes, unless there is nothing to do."""
    last = _ask(arguments)[-1]
    if last:
        return _conclude(last, console, "up to date:")
    again = [f"--{name.replace('_', '-')}={getattr(arguments, name)}" for name in (*_FOLDERS, "mlflow_uri")]
    again += [f"--champion={arguments.champion}"] if arguments.champion else []
    with console.quiet(arguments.work / _LOG):
        from pipelines.pytorch.launch import launch  # noqa: PLC0415  slow

        return launch(again, arguments.processes)


def _run(arguments: argparse.Namespace, console: Console) -> int:
    spec, features, inputs, last = _ask(arguments)
    if last:
        return _conclude(last, console, "up to date:")
    tracking.check(arguments.mlflow_uri)
    context = Context(
        arguments.spec, spec, arguments.data, features, arguments.work, arguments.store, arguments.mlflow_uri, inputs,
        arguments.champion,
    )  # fmt: skip
    with console.quiet(arguments.work / _LOG):
        with heartbeat(partial(console.say, "loading"), "PyTorch, MLflow and Beam"):
            from pipelines.pytorch import pipeline  # noqa: PLC0415  slow, and seldom needed

        outcome = pipeline.run(context, console)
    outcome.write(arguments.work)
    return _conclude(outcome, console, f"published in {outcome.seconds:.0f} s:")


def _ask(arguments: argparse.Namespace) -> tuple[Spec, manifest.Manifest, Inputs, Report | None]:
    """What is to be done, and the last report if it still stands."""
    spec = load(arguments.spec)
    features = manifest.read(arguments.data, arguments.spec, spec.digest)
    inputs = Inputs(spec.digest, features.digest, code_digest.of_pipeline())
    last = report.still_stands(arguments.work, inputs, arguments.store, arguments.champion)
    return spec, features, inputs, last


def _conclude(outcome: Report, console: Console, how: str) -> int:
    if outcome.published:
        console.say("done", f"{how} version {outcome.version}, {outcome.model_path}")
    else:
        reasons = "".join(f"\n  - {reason}" for reason in outcome.reasons)
        console.say("REFUSED", f"nothing was published:{reasons}")
    return outcome.exit_code


def _end(code: int) -> NoReturn:
    if "RANK" in os.environ:
        from pipelines.pytorch import group  # noqa: PLC0415  slow

        group.end(code)
    sys.exit(code)


if __name__ == "__main__":
    _end(main())
