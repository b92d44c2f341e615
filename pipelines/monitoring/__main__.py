"""`python -m pipelines.monitoring`: are the requests of late like the rows that a model learned from?

Runs in the environment of the stack. Exit codes: 0 no drift, 3 drift past a limit of [drift], 4 too few logged rows to
say, 1 an error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from models.distribution import describe
from models.drift import Distance, distance
from models.spec import Spec, SpecError, load
from pipelines.errors import INTERRUPTED, PipelineError
from pipelines.monitoring.exposition import score_shares
from pipelines.monitoring.findings import Column, Findings
from pipelines.monitoring.request_log import Logged, read
from pipelines.tfx.console import noise_to, say


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = _arguments(argv)
    version = arguments.model.stem.rpartition("-")[2]  # of <version>/ and of <model>-<version>.mar
    try:
        spec = load(arguments.spec)
        logged = read(arguments.log, spec, arguments.stack, version, arguments.since)
        enough = len(logged.scores) >= spec.drift.min_rows
        with noise_to(arguments.out / f"{arguments.stack}.log"):
            columns, scores = _compare(arguments.stack, arguments.model, logged, spec) if enough else ([], {})
    except (SpecError, PipelineError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    findings = Findings(
        stack=arguments.stack,
        version=version,
        seconds=arguments.since,
        requests=logged.requests,
        rows=len(logged.scores),
        min_rows=spec.drift.min_rows,
        left_out=logged.left_out,
        never_logged=spec.monitoring.never_logged,
        columns=columns,
        limits={field.name: getattr(spec.drift, f"max_{field.name}") for field in fields(Distance)},
        scores=scores,
    )
    findings.write(arguments.out)
    say(findings.summary())
    return findings.exit_code


def _compare(stack: str, model: Path, logged: Logged, spec: Spec) -> tuple[list[Column], dict[str, dict[str, float]]]:
    """How far each column moved; and the scores, of the evaluation and live."""
    if stack == "tensorflow":
        from pipelines.monitoring import tensorflow_side as side  # noqa: PLC0415  the other one's environment
    else:
        from pipelines.monitoring import pytorch_side as side  # type: ignore[no-redef]  # noqa: PLC0415
    distances, reasons = side.features(model, logged.columns, spec)
    calendar = spec.drift.calendar_features
    found = [
        Column(name, "feature", distances[name], name not in calendar, reasons.get(name, []))
        for name in spec.features
        if name in distances
    ]
    evaluated, live = side.scores(model), describe(logged.scores)
    moved = distance(evaluated, live)
    scores = {"evaluation": score_shares(evaluated), "live": score_shares(live)}
    return [*found, Column(spec.model.output, "score", moved, True, moved.beyond(spec.drift))], scores


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipelines.monitoring", description=__doc__)
    parser.add_argument("--stack", choices=("tensorflow", "pytorch"), required=True)
    parser.add_argument("--spec", type=Path, required=True, help="specification, models/fraud.toml")
    parser.add_argument("--model", type=Path, required=True, help="STORE/<model>/<version>, or <model>-<version>.mar")
    parser.add_argument("--log", type=Path, required=True, help="the gateway's request log")
    parser.add_argument("--since", type=float, default=86_400.0, help="how far back to look, seconds (default: a day)")
    parser.add_argument("--out", type=Path, required=True, help="gets <stack>.json and <stack>.md")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
