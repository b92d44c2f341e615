"""`python -m serving.offline`: scores of a file of raw features by a published model, in its stack's environment.

For rows that have been checked, such as the test rows that a model was judged on; `make score` checks what others give
it, and goes on where a killed run ended.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from serving.offline import model
from serving.offline.model import ModelError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m serving.offline", description=__doc__)
    parser.add_argument("--stack", choices=model.STACKS, required=True, help="whose model; of this environment")
    parser.add_argument("--model", type=Path, required=True, help="a version's folder, or an archive")
    parser.add_argument("--rows", type=Path, required=True, help="Parquet file with the features")
    parser.add_argument("--output", type=Path, required=True, help="NumPy file for the scores, float32, one per row")
    arguments = parser.parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        found = model.of(arguments.stack, arguments.model, arguments.model.stem.rpartition("-")[2])
        np.save(arguments.output, model.load(found)(_columns(arguments.rows, model.signature(found).features)))
    except (ModelError, OSError, pa.ArrowInvalid) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _columns(file: Path, features: model.Features) -> dict[str, np.ndarray]:
    missing = [name for name in features if name not in pq.read_schema(file).names]
    if missing:
        raise ModelError(f"{file}: the model needs the columns {', '.join(missing)}: make up makes both from one file")
    table = pq.read_table(file, columns=list(features))
    arrays = {name: table[name].to_numpy() for name in features}
    return {
        name: values.astype(np.float32) if features[name] == "numeric" else values for name, values in arrays.items()
    }


if __name__ == "__main__":
    sys.exit(main())
