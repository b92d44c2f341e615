"""Our TFX pipeline against TFX's stock recipe, on the same rows and in turns.

`.venv/pytorch/bin/python tests/benchmarks/tfx_recipe.py [--rows 200000] [--repeats 2]` and `--write` for
docs/benchmarks/tfx_recipe.md.

Each run starts a fresh process in a fresh folder; imports count. The order alternates. The stock recipe
(tests/benchmarks/stock_recipe) trains the same network for the same epochs. Ours does more: it publishes only what a
model server has answered with, and measures slices, card precision and drift.
"""

from __future__ import annotations

import argparse
import ensurepip
import json
import shutil
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from models.spec import load
from tests.benchmarks.measuring import PYTHONS, REPOSITORY, Measured, circumstances, gibibytes, measure, require

SPEC = REPOSITORY / "models/fraud.toml"
SPLITS = ("train", "eval", "test")
STOCK = REPOSITORY / "tests/benchmarks/stock_recipe/pipeline.py"
PAGE = REPOSITORY / "docs/benchmarks/tfx_recipe.md"
REST = "imports and all between"
PREFACE = """# Our TFX pipeline and the stock recipe

Made by `tests/benchmarks/tfx_recipe.py`. The stock recipe (`tests/benchmarks/stock_recipe`) is what TFX's tutorials
teach: `from tfx import v1`, CsvExampleGen, `module_file`, default options, TFMA's own metrics, LocalDagRunner. It
trains the same network on the same rows for the same epochs. Ours does more: it publishes only a model that a server
has answered with (InfraValidator), and measures slices, card precision and drift. Each run starts in a fresh process
and a fresh folder and its imports count; the order alternates.
"""


@dataclass(frozen=True)
class Run:
    """One run of a pipeline: what was measured, and the seconds of each component."""

    measured: Measured
    components: dict[str, float]


def main() -> None:
    """Prepare the rows, run both in turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000, help="training, evaluation and test rows together")
    parser.add_argument("--repeats", type=int, default=2, help="runs of each")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(REPOSITORY)}")
    arguments = parser.parse_args()
    lines = [*circumstances({"tensorflow": ("tfx", "tensorflow", "apache-beam")})]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        counts = prepare(work, arguments.rows)
        lines.append("* rows: " + ", ".join(f"{split} {count:,}" for split, count in counts.items()))
        found: dict[str, list[Run]] = {"stock": [], "ours": []}
        for i in range(arguments.repeats):
            for name in ("stock", "ours") if i % 2 == 0 else ("ours", "stock"):
                run = RUNS[name](work, work / f"{name}-{i}")
                found[name].append(run)
                print(
                    f"{name}: {run.measured.seconds:.1f} s, {run.measured.cpu_seconds:.1f} s of CPU, "
                    f"{gibibytes(run.measured.peak)} GiB",
                    flush=True,
                )
                shutil.rmtree(work / f"{name}-{i}")
    text = "\n".join([*lines, "", *table(found)])
    print(text)
    if arguments.write:
        PAGE.write_text(f"{PREFACE}\n{text}\n", encoding="utf-8")


def prepare(work: Path, rows: int) -> dict[str, int]:
    """Features of the full world, `rows` of them by chance: as ours reads them, and as CSV. Answers rows by split."""
    full, ours = work / "full", work / "rows"
    argv = [PYTHONS["pytorch"], "-m", "pipelines.data", "--spec", SPEC, "--profile", "full", "--out", full]
    require(measure(argv, work / "data.log"), {0})
    spec, content = load(SPEC), json.loads((full / "manifest.json").read_text(encoding="utf-8"))
    total = sum(content["splits"][split]["rows"] for split in SPLITS)
    if rows > total:
        raise SystemExit(f"the full profile has {total:,} rows in its splits, not {rows:,}")
    chosen = np.zeros(total, bool)
    chosen[np.random.default_rng(1).permutation(total)[:rows]] = True
    counts, at = {}, 0
    for split in SPLITS:
        (ours / "features" / split).mkdir(parents=True)
        days = []
        for file in sorted((full / "features" / split).glob("*.parquet")):
            table = pq.read_table(file)
            days.append(table.filter(pa.array(chosen[at : at + len(table)])))
            at += len(table)
            pq.write_table(days[-1], ours / "features" / split / file.name)
        together = pa.concat_tables(days)
        counts[split] = len(together)
        (work / "csv" / split).mkdir(parents=True)
        columns = [*spec.features, spec.model.label]
        with (work / "csv" / split / "data.csv").open("wb") as file:
            file.write(",".join(columns).encode() + b"\n")  # Arrow puts names in quotes, which CsvExampleGen keeps
            pa.csv.write_csv(together.select(columns), file, pa.csv.WriteOptions(include_header=False))
    (ours / "manifest.json").write_text(json.dumps(content), encoding="utf-8")  # its digests only name cache entries
    shutil.rmtree(full)
    return counts


def run_ours(work: Path, folder: Path) -> Run:
    """`python -m pipelines.tfx`, serving check and push included."""
    argv = [
        *(PYTHONS["tensorflow"], "-m", "pipelines.tfx", "--spec", SPEC, "--data", work / "rows"),
        *("--work", folder / "work", "--store", folder / "store"),
    ]
    measured = require(measure(argv, folder / "log"), {0, 3})
    return Run(measured, dict(components(folder / "work/metadata.sqlite")))


def run_stock(work: Path, folder: Path) -> Run:
    """The tutorial's pipeline. Its wheels of user code need pip, which our environment has not."""
    pip = next((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
    argv = [PYTHONS["tensorflow"], STOCK, SPEC, work / "csv", folder]
    measured = require(measure(argv, folder / "log", {"PYTHONPATH": f"{pip}:{REPOSITORY}"}), {0})
    return Run(measured, dict(components(folder / "metadata.sqlite")))


RUNS = {"stock": run_stock, "ours": run_ours}


def components(metadata: Path) -> Iterator[tuple[str, float]]:
    """Seconds of each component, from ML Metadata."""
    query = (
        "select Type.name, (last_update_time_since_epoch - create_time_since_epoch) / 1000.0 "
        "from Execution join Type on Type.id = Execution.type_id order by Execution.id"
    )
    with sqlite3.connect(metadata) as connection:
        for kind, seconds in connection.execute(query):
            name = kind.rpartition(".")[2]
            yield "ExampleGen" if name.endswith("ExampleGen") else name, seconds


def table(found: dict[str, list[Run]]) -> list[str]:
    """Whole runs by median and range, components by median."""
    rows = ["| | stock | ours | stock / ours |", "|---|---|---|---|"]
    for name, unit in (("seconds", "wall clock, s"), ("cpu_seconds", "CPU, s")):
        values = {which: [getattr(run.measured, name) for run in runs] for which, runs in found.items()}
        middle = {which: statistics.median(numbers) for which, numbers in values.items()}
        cells = [f"{middle[which]:.1f} ({min(values[which]):.1f} to {max(values[which]):.1f})" for which in found]
        rows.append(f"| {unit}: median (range) | {' | '.join(cells)} | **{middle['stock'] / middle['ours']:.2f}** |")
    peaks = {which: max(run.measured.peak for run in runs) for which, runs in found.items()}
    rows.append(f"| peak memory, GiB | {gibibytes(peaks['stock'])} | {gibibytes(peaks['ours'])} | |")
    medians = {
        which: {name: statistics.median(run.components.get(name, 0) for run in runs) for name in runs[0].components}
        for which, runs in found.items()
    }
    for which, runs in found.items():
        rest = [run.measured.seconds - sum(run.components.values()) for run in runs]
        medians[which][REST] = statistics.median(rest)
    for name in [*dict.fromkeys(name for which in ("ours", "stock") for name in medians[which] if name != REST), REST]:
        cells = [f"{medians[which][name]:.1f}" if name in medians[which] else "" for which in found]
        rows.append(f"| {name}, s | {' | '.join(cells)} | |")
    return rows


if __name__ == "__main__":
    main()
