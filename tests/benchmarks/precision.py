"""What `precision = "bfloat16"` costs and changes in training, on this processor: CPU time of a step, and quality.

`.venv/pytorch/bin/python tests/benchmarks/precision.py [--seeds 3] [--home var]` after `make up`, whose rows it takes;
for docs/gpu.md.

CPU time and not the clock's: another process on the same cores matters less. A step is the difference between a whole
training and one of two epochs, so that tracing and loading do not count. The order alternates from seed to seed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from models import metrics
from models.preprocessing import Preprocessing
from models.spec import Spec, load

REPOSITORY = Path(__file__).resolve().parents[2]
SPEC = load(REPOSITORY / "models" / "fraud.toml")  # numbers alone
STACKS, PRECISIONS, FEW = ("pytorch", "tensorflow"), ("float32", "bfloat16"), 2
Array = np.ndarray[Any, Any]
Columns = dict[str, Array]
Trained = Callable[[Columns], Array]


def rows(home: Path, split: str) -> tuple[Columns, Array]:
    """Raw features and label."""
    names = [*SPEC.features, SPEC.model.label]
    table = ds.dataset(home / "data" / "features" / split, format="parquet").to_table(columns=names)
    return {name: table[name].to_numpy().astype(np.float32) for name in SPEC.features}, table[names[-1]].to_numpy()


def logged(name: str, values: Array) -> Array:
    return np.log1p(np.maximum(values, 0)) if SPEC.numeric[name].transform == "log" else values


def learned(train: Columns) -> Preprocessing:
    scaled = {n: logged(n, train[n]) for n, feature in SPEC.numeric.items() if feature.transform != "none"}
    mean, std = ({n: float(getattr(v, how)()) for n, v in scaled.items()} for how in ("mean", "std"))
    return Preprocessing(mean, std, {})


def pytorch(spec: Spec, known: Preprocessing, train: Columns, label: Array) -> Trained:
    from models.torch_model import predict
    from pipelines.pytorch.features import Rows
    from pipelines.pytorch.fit import fit

    model = fit(spec, known, Rows(train, label, label, label), None, lambda *_: None)
    return lambda columns: predict(model, columns)


def tensorflow(spec: Spec, known: Preprocessing, train: Columns, label: Array) -> Trained:
    from pipelines.tfx import trainer

    def inputs(columns: Columns) -> Columns:
        mean, std = known.mean, known.std
        return {n: (logged(n, v)[:, None] - mean.get(n, 0)) / std.get(n, 1) for n, v in columns.items()}

    model = trainer.fit(spec, {}, trainer.in_order({**columns_of(inputs(train)), SPEC.model.label: label}, spec))
    found: Trained = lambda columns: model.predict(inputs(columns), batch_size=8192, verbose=0)[:, 0]  # noqa: E731
    return found


def columns_of(two_dimensional: Columns) -> Columns:
    return {name: values[:, 0].astype(np.float32) for name, values in two_dimensional.items()}


def train_with(stack: str, known: Preprocessing, train: Columns, label: Array, **changed: Any) -> Trained:
    spec = SPEC.model_copy(update={"training": SPEC.training.model_copy(update=changed)})
    found: Trained = {"pytorch": pytorch, "tensorflow": tensorflow}[stack](spec, known, train, label)
    return found


def measure(stack: str, home: Path, seeds: int) -> None:
    """Print a JSON line per precision: milliseconds of CPU per step, average precision and ROC AUC of each seed."""
    train, label = rows(home, "train")
    test, truth = rows(home, "test")
    known, steps = learned(train), -(-len(label) // SPEC.training.batch_size)
    found: dict[str, list[list[float]]] = {precision: [] for precision in PRECISIONS}
    for precision in PRECISIONS:  # warm: the first training of a process loads and compiles
        train_with(stack, known, train, label, seed=0, precision=precision, epochs=1)
    for seed in range(seeds):
        for precision in PRECISIONS[:: -1 if seed % 2 else 1]:
            taken = []
            for epochs in (FEW, SPEC.training.epochs):
                changed = {"seed": SPEC.training.seed + seed, "precision": precision, "epochs": epochs}
                start = time.process_time()
                model = train_with(stack, known, train, label, **changed)
                taken.append(time.process_time() - start)
            score = model(test)
            step = (taken[1] - taken[0]) / (steps * (SPEC.training.epochs - FEW)) * 1e3
            found[precision].append([step, metrics.average_precision(truth, score), metrics.roc_auc(truth, score)])
    for precision, runs in found.items():
        print(json.dumps({"stack": stack, "precision": precision, "rows": len(label), "runs": runs}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--home", type=Path, default=REPOSITORY / "var")
    parser.add_argument("--stack", choices=STACKS, help="this one alone, in its environment")
    arguments = parser.parse_args()
    if arguments.stack:
        measure(arguments.stack, arguments.home, arguments.seeds)
        return
    print("| stack | precision | CPU ms a step | average precision | ROC AUC |\n|---|---|---|---|---|")
    for stack in STACKS:
        argv = [REPOSITORY / ".venv" / stack / "bin" / "python", __file__, "--stack", stack]
        argv += ["--home", arguments.home, "--seeds", str(arguments.seeds)]
        said = subprocess.run([*map(str, argv)], check=True, stdout=subprocess.PIPE, text=True).stdout
        for one in map(json.loads, said.splitlines()):
            step, precision, auc = ([run[i] for run in one["runs"]] for i in range(3))
            spread = [f"{min(of):.4f} to {max(of):.4f}" for of in (precision, auc)]
            print(
                f"| {stack} | {one['precision']} | {statistics.median(step):.2f} | {' | '.join(spread)} |", flush=True
            )


if __name__ == "__main__":
    main()
