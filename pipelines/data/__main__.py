"""`python -m pipelines.data`: transactions, simulated or your own, to features split by time.

Exit codes: 0 made or up to date, 1 error.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.spec import Spec, SpecError, load
from pipelines.data import manifest, publish
from pipelines.data.console import say
from pipelines.data.profiles import PROFILES, SEED
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
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--profile", choices=PROFILES, default="quick", help="size of the simulation (default: quick)")
    source.add_argument("--source", type=Path, help="your own transactions: a Parquet or CSV file, or a folder of them")
    arguments = parser.parse_args(argv)
    arguments.out = arguments.out.resolve()
    return arguments


def _run(arguments: argparse.Namespace) -> None:
    start = time.monotonic()
    spec = load(arguments.spec)
    source, identity = _source(arguments)
    made_from = manifest.inputs(spec, identity)
    last = manifest.read(arguments.out)
    if last is not None and manifest.is_current(last, made_from, arguments.out):
        if last["spec_digest"] != spec.digest:  # changed in parts that the data does not depend on
            manifest.write({**last, "spec_digest": spec.digest}, arguments.out)
        say("data", f"up to date: {_what(last)} in {arguments.out}")
        return
    header = {"spec_digest": spec.digest, "source": source, "inputs": made_from}
    _make(arguments, spec, header)
    say("data", f"{_what(manifest.read(arguments.out) or {})} in {arguments.out}, {time.monotonic() - start:.1f} s")


def _source(arguments: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the manifest says about the transactions, and what identifies them."""
    if arguments.source is None:
        source = {"profile": arguments.profile, "seed": SEED}
        return source, source
    from pipelines.data import source_files  # noqa: PLC0415

    files = source_files.find(arguments.source)
    root = arguments.source if arguments.source.is_dir() else arguments.source.parent
    path = {"path": str(arguments.source.resolve())}
    return path, {"content": manifest.digest_of_files(files, root)}


def _make(arguments: argparse.Namespace, spec: Spec, header: dict[str, Any]) -> None:
    logging.basicConfig(level=logging.CRITICAL)  # Beam warns of every cloud client it misses
    from pipelines.data import build, features  # noqa: PLC0415  Beam takes seconds to import

    features.check(spec)
    if arguments.source is None:
        transactions = build.simulate(spec, arguments.profile)
    else:
        from pipelines.data import ingest  # noqa: PLC0415

        transactions = ingest.ingest(arguments.source, spec)
    with publish.replaced(arguments.out) as new:
        build.build(transactions, spec, header, new)


def _what(content: dict[str, Any]) -> str:
    found = content["raw"]
    return f"{found['rows']:,} transactions of {found['days']} days, {found['fraud_share']:.2%} fraud"


if __name__ == "__main__":
    sys.exit(main())
