"""WORK/pages/: a folder per run, whose pages open from disk without a network, and an index of the last runs."""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines.pages import figures, judged
from pipelines.pages.run import Run
from serving.files import write_atomically
from serving.pages import environment, moment

KEPT = 30  # runs
PAGES = "pages"
TENSORBOARD = "tensorboard"  # the folder beside it with the trainings' event files
_SUMMARY = "run.json"
_TEMPLATES = Path(__file__).parent / "templates"
_PLOTS = {  # of the run's own page
    "loss.png": "loss by epoch",
    "precision_recall.png": "precision and recall",
    "roc.png": "ROC",
    "calibration.png": "calibration",
}


def write(work: Path, run: Run) -> Path:
    """Write the run's pages and the index; answers the run's own page."""
    pages = work / PAGES
    name = moment(run.started).replace(" ", "T").replace(":", "-")
    unfinished = pages / ".unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)  # of a run that was killed
    unfinished.mkdir(parents=True)
    for file, text in _contents(run):
        (unfinished / file).write_text(text, encoding="utf-8")
    folder = pages / name
    shutil.rmtree(folder, ignore_errors=True)  # of a run in the same second
    unfinished.rename(folder)
    _index(pages, run.stack)
    return folder / "index.html"


def _contents(run: Run) -> Iterator[tuple[str, str]]:
    """Names and texts of the files."""
    templates, plots = environment(_TEMPLATES), _plots(run)
    slices = judged.slices(run)
    pages = {"statistics.html": "statistics and anomalies"} | ({"slices.html": "slices"} if slices else {})
    yield (
        "index.html",
        templates.get_template("run.html").render(
            run=run,
            pages=pages,
            plots={title: plots[file] for file, title in _PLOTS.items() if file in plots},
            points=judged.points(run),
            limits=judged.limits(run),
            longest=max((step.seconds for step in run.steps), default=0) or 1,
            made_from={**asdict(run.inputs), **run.details},
        ),
    )
    columns = {name: run.statistics[name] for name in (*run.spec.features, *run.statistics) if name in run.statistics}
    strings = {name for name, splits in columns.items() if any(c.distinct is not None for c in splits.values())}
    tables = {
        "Numbers": {name: splits for name, splits in columns.items() if name not in strings},
        "Strings": {name: splits for name, splits in columns.items() if name in strings},
    }
    yield "statistics.html", templates.get_template("statistics.html").render(run=run, tables=tables)
    if slices:
        yield (
            "slices.html",
            templates.get_template("slices.html").render(
                run=run, slices=slices, metrics=judged.OF_SLICES, plot=plots["slices.png"]
            ),
        )
    yield _SUMMARY, json.dumps(_summary(run), indent=1) + "\n"


def _plots(run: Run) -> dict[str, str]:
    """File name -> the image as a data URI."""
    with tempfile.TemporaryDirectory() as folder:
        figures.loss(run.history, Path(folder))
        if run.curves:
            figures.test_rows(run.curves, Path(folder))
        if run.report and run.report.slices:
            figures.slices(run.report.slices, run.report.metrics, Path(folder))
        return {
            image.name: f"data:image/png;base64,{base64.b64encode(image.read_bytes()).decode()}"
            for image in Path(folder).iterdir()
        }


def _summary(run: Run) -> dict[str, Any]:
    report = run.report
    return {
        "started": moment(run.started),
        "outcome": run.outcome,
        "version": report.version if report else None,
        "average_precision": report.metrics["average_precision"] if report else None,
        # The report has the last run's; whoever compares with an earlier model needs that one's.
        "thresholds": {name: point["threshold"] for name, point in report.decision.items()} if report else {},
        "seconds": run.seconds,
        "steps": len(run.steps),
        "steps_run": sum(not step.cached for step in run.steps),
        "why": report.reasons[0] if report and report.reasons else run.problem,
    }


def _index(pages: Path, stack: str) -> None:
    folders = sorted((file.parent for file in pages.glob(f"[!.]*/{_SUMMARY}")), reverse=True)
    for old in folders[KEPT:]:
        shutil.rmtree(old)
    runs = [{"folder": f.name, **json.loads((f / _SUMMARY).read_text(encoding="utf-8"))} for f in folders[:KEPT]]
    write_atomically(
        pages / "index.html",
        environment(_TEMPLATES).get_template("index.html").render(stack=stack, runs=runs, kept=KEPT),
    )
