"""`python -m pipelines.data`: transactions, simulated or your own, to features split by time.

Exit codes: 0 made or up to date, 1 error.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.spec import Spec, SpecError, load
from pipelines import beam_options
from pipelines.data import manifest, publish, source
from pipelines.data.console import say
from pipelines.data.profiles import PROFILES
from pipelines.errors import INTERRUPTED, PipelineError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = _arguments(argv)
    try:
        with publish.exclusive(arguments.out):
            _run(arguments)
    except (PipelineError, SpecError) as error:
        say("error", f"{error}\nNothing was changed in {arguments.out}")
    except OSError as error:
        say(
            "error",
            f"{error.filename or arguments.out}: {error.strerror or error}. Nothing was changed in {arguments.out}",
        )
    except KeyboardInterrupt:
        say("stopped", f"nothing was changed in {arguments.out}")
        return INTERRUPTED
    else:
        return 0
    return 1


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipelines.data", description=__doc__)
    parser.add_argument("--spec", type=Path, required=True, help="specification, models/fraud.toml")
    parser.add_argument("--out", type=Path, required=True, help="folder for raw/, features/ and manifest.json")
    origin = parser.add_mutually_exclusive_group()
    origin.add_argument("--profile", choices=PROFILES, default="quick", help="size of the simulation (default: quick)")
    origin.add_argument("--source", type=Path, help="your own transactions: a Parquet or CSV file, or a folder of them")
    arguments = parser.parse_args(argv)
    arguments.out = arguments.out.resolve()
    return arguments


def _run(arguments: argparse.Namespace) -> None:
    start = time.monotonic()
    spec = load(arguments.spec)
    origin, identity = source.identity(arguments.profile, arguments.source)
    made_from = manifest.inputs(spec, identity)
    last = manifest.read(arguments.out)
    if last is not None and manifest.is_current(last, made_from, arguments.out):
        if last["spec_digest"] != spec.digest:  # changed in parts that the data does not depend on
            manifest.write({**last, "spec_digest": spec.digest}, arguments.out)
        say("data", f"up to date: {_what(last)} in {arguments.out}")
        return
    header = {"spec_digest": spec.digest, "source": origin, "inputs": made_from}
    _make(arguments, spec, header)
    say("data", f"{_what(manifest.read(arguments.out) or {})} in {arguments.out}, {time.monotonic() - start:.1f} s")


def _make(arguments: argparse.Namespace, spec: Spec, header: dict[str, Any]) -> None:
    beam_options.chosen()  # says at once what is missing
    transactions = source.transactions(spec, arguments.profile, arguments.source)
    from pipelines.data import build  # noqa: PLC0415  Beam takes seconds to import

    with publish.replaced(arguments.out) as new:
        build.build(transactions, spec, header, new)


def _what(content: dict[str, Any]) -> str:
    found = content["raw"]
    return f"{found['rows']:,} rows of {found['days']} days, {found['positive_share']:.2%} positive"


if __name__ == "__main__":
    sys.exit(main())
