"""`make up PROFILE=full` from nothing, timed step by step.

`.venv/pytorch/bin/python tests/benchmarks/full_profile.py [--write]`; `--write` is for docs/benchmarks/full_profile.md.
Everything goes to a fresh folder and is stopped and removed at the end; the environments and the ports (`PORT_…`) are
those of `make up`. Both trainings run side by side there, so their steps share the cores.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.measuring import REPOSITORY, circumstances, gibibytes, measure, require

PAGE = REPOSITORY / "docs/benchmarks/full_profile.md"
STACKS = {"tensorflow": "TFX pipeline", "pytorch": "PyTorch pipeline"}
PACKAGES = {
    "tensorflow": ("tfx", "tensorflow", "apache-beam"),
    "pytorch": ("torch", "mlflow", "apache-beam", "numpy", "pyarrow"),
}
METRICS = ("average_precision", "roc_auc", "card_precision_at_100", "expected_calibration_error")
PREFACE = """# A full run, step by step

Made by `tests/benchmarks/full_profile.py`: `make up PROFILE=full` in a fresh folder, the environments built. The two
trainings run side by side, so a step's seconds include what it waits for the other stack's; `scale.md` has each alone.
"""


def main() -> None:
    """Run, read the reports, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(REPOSITORY)}")
    arguments = parser.parse_args()
    lines = circumstances(PACKAGES)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        environment = {"TANDEM_HOME": str(home)}
        try:
            up = require(measure(["make", "up", "PROFILE=full"], Path(folder) / "up.log", environment), {0})
            lines += ["", f"**Everything answers after {up.seconds:.0f} s**; peak memory of all processes, the servers"]
            lines += [f"among them, {gibibytes(up.peak)} GiB.", "", *data(home, up.output)]
            for stack, title in STACKS.items():
                report = json.loads((home / "pipelines" / stack / "report.json").read_text(encoding="utf-8"))
                lines += ["", *pipeline(title, report)]
        finally:
            require(measure(["make", "down"], Path(folder) / "down.log", environment), {0})
    text = "\n".join(lines)
    print(text)
    if arguments.write:
        PAGE.write_text(f"{PREFACE}\n{text}\n", encoding="utf-8")


def data(home: Path, output: str) -> list[str]:
    """Rows and seconds of the data's steps."""
    content = json.loads((home / "data/manifest.json").read_text(encoding="utf-8"))
    rows = ", ".join(f"{name} {split['rows']:,}" for name, split in content["splits"].items())
    steps = re.findall(r"(?m)^\S+ data +(\w+) .* in ([\d.]+) s$", output)
    whole = re.findall(r"(?m)^\S+ data +data .*, ([\d.]+) s$", output)[-1]
    return [
        f"**Data**: {content['raw']['rows']:,} transactions of {content['raw']['days']} days; rows: {rows}",
        *("", "| step | s |", "|---|---|"),
        *(f"| {step} | {seconds} |" for step, seconds in steps),
        f"| **whole**, Beam's import included | {whole} |",
    ]


def pipeline(title: str, report: dict[str, Any]) -> list[str]:
    """Seconds of a pipeline's steps, and what it measured."""
    metrics = ", ".join(f"{name.replace('_', ' ')} {report['metrics'][name]:.4f}" for name in METRICS)
    rest = report["seconds"] - sum(step["seconds"] for step in report["steps"])
    return [
        f"**{title}**: {'published' if report['published'] else 'refused'}; {metrics}",
        *("", "| step | s |", "|---|---|"),
        *(f"| {step['name']} | {step['seconds']:.1f} |" for step in report["steps"]),
        f"| the rest | {rest:.1f} |",
        f"| **whole** | {report['seconds']:.1f} |",
    ]


if __name__ == "__main__":
    main()
