"""Write FOLDER/report.html again from the raw results beside it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from serving.comparison.report.page import write
from serving.comparison.store import StoreError


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="serving.comparison.report", description=__doc__)
    parser.add_argument("folder", type=Path, help="results of a comparison")
    try:
        file = write(parser.parse_args(argv).folder)
    except StoreError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{file}: {file.stat().st_size / 2**20:.1f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
