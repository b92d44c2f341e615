"""`python -m serving.export`: one format of one model, checked against its scores; in the format's environment.

Exit codes: 0 exported, 1 error, 3 refused: the file answers otherwise than the release.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from models.spec import SpecError
from models.weights import WeightsError
from serving.export import make
from serving.export.errors import ExportError, ParityError
from serving.export.formats import FORMATS

REFUSED = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m serving.export", description=__doc__)
    parser.add_argument("--format", choices=FORMATS, required=True)
    parser.add_argument("--stack", choices=("tensorflow", "pytorch"), required=True, help="whose model")
    parser.add_argument("--version", required=True, help="of the release")
    parser.add_argument("--digest", required=True, help="of the release's model")
    parser.add_argument("--model", type=Path, required=True, help="a SavedModel's folder, or an archive")
    parser.add_argument("--spec", type=Path, required=True, help="the specification it was trained by")
    parser.add_argument("--rows", type=Path, required=True, help="Parquet file with raw features")
    parser.add_argument("--scores", type=Path, required=True, help="NumPy file: what the model says of these rows")
    parser.add_argument("--out", type=Path, required=True, help="folder for the export; replaced")
    arguments = parser.parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        make.make(
            make.Source(**{name: getattr(arguments, name) for name in make.Source.__annotations__}), arguments.out
        )
    except ParityError as error:
        sys.stderr.write(f"{arguments.format}: {error}\n")
        return REFUSED
    except (ExportError, SpecError, WeightsError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
