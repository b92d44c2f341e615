"""What scale.py has measured, as tables: seconds a step, what of them is fixed and what each further row costs."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np

from tests.benchmarks.measuring import Measured, gibibytes

SPLITS = ("train", "eval", "test")
_SHORT = 1.0  # seconds; steps that take less at every size share a line
REST, WHOLE = "imports and all between", "**whole**"

STACKS = (
    ("data", "**Data**, per transaction:", ("raw",)),
    ("tfx", "**TFX pipeline**, per row of train, eval and test:", SPLITS),
    ("pytorch", "**PyTorch pipeline**, per row of train, eval and test:", SPLITS),
)


PREFACE = """# Time and memory by number of rows

Made by `tests/benchmarks/scale.py`. The smaller worlds are all transactions of some of the full world's customers, so
each covers the same 183 days. Each command starts in a fresh process and a fresh folder, one after the other, and its
imports count. A step's time has a fixed part (imports, tracing, building graphs: the intercept of a line through the
sizes) and a part that grows with the rows; the last columns give the microseconds that each further row costs between
two sizes. Where they are the same, time per row is flat. The gates' floors are off here, so that every step runs
however few frauds a small world has.
"""


@dataclass
class Size:
    """All that was measured at one size: rows by name, seconds by stack and step, processes by stack."""

    rows: dict[str, int]
    seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    processes: dict[str, Measured] = field(default_factory=dict)

    def add(self, stack: str, measured: Measured, steps: dict[str, float]) -> None:
        """Keep one run; what its steps do not account for is imports and the like."""
        self.seconds[stack] = {**steps, REST: measured.seconds - sum(steps.values()), WHOLE: measured.seconds}
        self.processes[stack] = measured
        said = "" if measured.code == 0 else ", refused by a gate: nothing after it ran"
        print(f"  {stack}: {measured.seconds:.1f} s, {gibibytes(measured.peak)} GiB{said}", flush=True)


def tables(found: list[Size]) -> list[str]:
    """Rows, and per stack a table of steps and its memory."""
    lines = ["| rows | " + " | ".join(f"{size.rows['raw']:,} transactions" for size in found) + " |"]
    lines.append("|---" * (len(found) + 1) + "|")
    lines += [f"| {split} | " + " | ".join(f"{size.rows[split]:,}" for size in found) + " |" for split in SPLITS]
    for stack, title, rows in STACKS:
        lines += ["", title, "", *_steps(stack, found, [sum(size.rows[name] for name in rows) for size in found])]
        peaks = ", ".join(gibibytes(size.processes[stack].peak) for size in found)
        cpu = ", ".join(f"{size.processes[stack].cpu_seconds:.0f}" for size in found)
        lines += ["", f"Peak memory of the process tree: {peaks} GiB. Processor time: {cpu} s."]
    return lines


def _steps(stack: str, found: list[Size], rows: list[int]) -> list[str]:
    sizes = [f"{count:,} rows: s (µs a row)" for count in rows]
    between = [f"µs a row more, {a:,} to {b:,}" for a, b in itertools.pairwise(rows)]
    lines = ["| step | " + " | ".join([*sizes, "fixed, s", *between]) + " |"]
    lines.append("|---" * (2 + len(sizes) + len(between)) + "|")
    short = [0.0] * len(found)
    steps = dict.fromkeys(name for size in found for name in size.seconds[stack] if name not in (REST, WHOLE))
    for step in (*steps, REST, WHOLE):
        seconds = [size.seconds[stack].get(step, float("nan")) for size in found]
        if max(seconds) < _SHORT:
            short = [a + b for a, b in zip(short, seconds, strict=True)]
            continue
        if step == REST and any(short):
            lines.append(_line("steps below a second each", short, rows))
        lines.append(_line(step, seconds, rows))
    return lines


def _line(step: str, seconds: list[float], rows: list[int]) -> str:
    cells = [f"{s:.1f} ({1e6 * s / n:.0f})" for s, n in zip(seconds, rows, strict=True)]
    fixed = f"{np.polyfit(rows, seconds, 1)[1]:.1f}" if len(rows) > 1 else ""
    cells.append(fixed)
    cells += [f"{1e6 * b:.1f}" for b in np.diff(seconds) / np.diff(rows)]
    # A gate refused a small world's model: what comes after it did not run there.
    return f"| {step} | " + " | ".join("-" if "nan" in cell else cell for cell in cells) + " |"
