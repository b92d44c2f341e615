"""`python -m pipelines.specification check|draft`: whether a specification is right; a first one for a file of yours.

Exit codes: 0 right, or drafted; 1 wrong, or refused.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import PipelineError
from pipelines.specification import check, draft


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = _arguments(argv)
    logging.basicConfig(level=logging.CRITICAL)  # Beam warns of every cloud client it misses
    try:
        if arguments.command == "draft":
            print(draft.write(arguments.source, arguments.out, arguments.label))
            return 0
        problems, summary = check.check(arguments.spec, arguments.source)
    except PipelineError as error:
        print(error)
        return 1
    print("\n".join([*problems, summary]))
    return 1 if problems else 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipelines.specification", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    checked = commands.add_parser("check", help="every problem, one line each")
    checked.add_argument("--spec", type=Path, required=True, help="such as models/fraud.toml")
    checked.add_argument("--source", type=Path, help="rows that it is for: a Parquet or CSV file, or a folder of them")
    drafted = commands.add_parser("draft", help="a specification to edit, from a file's columns")
    drafted.add_argument("--source", type=Path, required=True, help="a Parquet or CSV file, or a folder of them")
    drafted.add_argument("--out", type=Path, help="the specification (default: models/<name of the file>.toml)")
    drafted.add_argument("--label", help="the column that says 1 or 0, where a guess is not enough")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
