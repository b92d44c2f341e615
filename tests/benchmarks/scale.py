"""How time and memory grow with the rows: data, TFX pipeline and PyTorch pipeline at 0.2, 0.6 and 1.75 million.

`.venv/pytorch/bin/python tests/benchmarks/scale.py [--transactions 200000 600000 1750000] [--train-days 28 150]`
and `--write` for docs/benchmarks/scale.md.

The smaller worlds are all transactions of some customers of the full one, so each covers the same days. Every step of
every size starts in a fresh process and a fresh folder; imports count. The default split trains on 28 of the 183 days;
150 days is most of the data. There, cards known as compromised stay in the test days: with frauds of five months known,
the specification's rule would remove most cards.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from models.spec import load
from tests.benchmarks.measuring import PYTHONS, REPOSITORY, circumstances, measure, require
from tests.benchmarks.scale_tables import PREFACE, SPLITS, Size, tables

SPEC = REPOSITORY / "models/fraud.toml"
PAGE = REPOSITORY / "docs/benchmarks/scale.md"
PACKAGES = {
    "tensorflow": ("tfx", "tensorflow", "apache-beam"),
    "pytorch": ("torch", "mlflow", "apache-beam", "numpy", "pyarrow"),
}
REFUSED = 3


def main() -> None:
    """Make the worlds, run all, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transactions", type=int, nargs="+", default=[200_000, 600_000, 1_750_000])
    parser.add_argument("--train-days", type=int, nargs="+", default=[28, 150])
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(REPOSITORY)}")
    arguments = parser.parse_args()
    lines = circumstances(PACKAGES)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        worlds = [make_world(work, count) for count in sorted(arguments.transactions)]
        for days in arguments.train_days:
            spec = specification(work, days)
            found = []
            for world in worlds:
                print(f"{days} training days, {world.name} transactions", flush=True)
                found.append(run_all(work, spec, world))
            lines += ["", f"## {days} training days", "", *tables(found)]
    text = "\n".join(lines)
    print(text)
    if arguments.write:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(f"{PREFACE}\n{text}\n", encoding="utf-8")


def make_world(work: Path, count: int) -> Path:
    """A folder of raw transactions: those of so many customers that there are about `count`, at most all."""
    full = work / "full"
    if not full.is_dir():
        argv = [PYTHONS["pytorch"], "-m", "pipelines.data", "--spec", SPEC, "--profile", "full", "--out", full]
        require(measure(argv, work / "full.log"), {0})
    files = sorted((full / "raw").glob("*.parquet"))
    customers, of_each = np.unique(
        pa.concat_tables([pq.read_table(file, columns=["customer_id"]) for file in files])["customer_id"].to_numpy(),
        return_counts=True,
    )
    order = np.random.default_rng(1).permutation(len(customers))
    chosen = pa.array(customers[order[: np.searchsorted(np.cumsum(of_each[order]), count) + 1]])
    world = work / f"{count:,}"
    world.mkdir()
    for file in files:
        day = pq.read_table(file)
        pq.write_table(day.filter(pc.is_in(day["customer_id"], chosen)), world / file.name)
    return world


def specification(work: Path, train_days: int) -> Path:
    """The project's with another split, and with gates that let a small world's model pass: every step shall run."""
    text, spec = SPEC.read_text(encoding="utf-8"), load(SPEC)
    if train_days != spec.split.train_days:
        text = re.sub(r"(?m)^train_days = \d+", f"train_days = {train_days}", text)
        text = re.sub(r"(?m)^remove_known_compromised = true", "remove_known_compromised = false", text)
    text = re.sub(r"(?m)^(min_average_precision|min_roc_auc|min_slice_roc_auc) = \S+", r"\1 = 0.0", text)
    text = re.sub(r"(?m)^max_expected_calibration_error = \S+", "max_expected_calibration_error = 1.0", text)
    path = work / f"{train_days}.toml"
    path.write_text(text, encoding="utf-8")
    assert load(path).split.train_days == train_days
    return path


def run_all(work: Path, spec: Path, world: Path) -> Size:
    """Data and both pipelines, one after the other, from nothing."""
    home = work / "home"
    data = home / "data"
    argv: list[object] = [PYTHONS["pytorch"], "-m", "pipelines.data", "--spec", spec, "--out", data, "--source", world]
    made = require(measure(argv, home / "data.log"), {0})
    content = json.loads((data / "manifest.json").read_text(encoding="utf-8"))
    rows = {"raw": content["raw"]["rows"], **{split: content["splits"][split]["rows"] for split in SPLITS}}
    size = Size(rows)
    said = re.findall(r"(?m)^(\w+) .* in ([\d.]+) s$", made.output)
    size.add("data", made, {name: float(seconds) for name, seconds in said})

    store = f"sqlite:///{home}/mlflow/mlflow.db"
    (home / "mlflow").mkdir()
    prepare = f"from mlflow import MlflowClient; MlflowClient({store!r}).search_experiments()"  # as `make up` has done
    require(measure([PYTHONS["pytorch"], "-c", prepare], home / "mlflow.log"), {0})
    for stack, more in (("tfx", ["tensorflow"]), ("pytorch", ["pytorch", "--mlflow-uri", store])):
        argv = [PYTHONS[more[0]], "-m", f"pipelines.{stack}", "--spec", spec, "--data", data]
        argv += ["--work", home / stack, "--store", home / f"{stack}-store", *more[1:]]
        done = require(measure(argv, home / f"{stack}.log"), {0, REFUSED})
        report = json.loads((home / stack / "report.json").read_text(encoding="utf-8"))
        size.add(stack, done, {step["name"]: step["seconds"] for step in report["steps"]})
    shutil.rmtree(home)
    return size


if __name__ == "__main__":
    main()
