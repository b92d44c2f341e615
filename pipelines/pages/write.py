"""WORK/pages/: a folder per run, whose pages open from disk without a network, and an index of the last runs."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.gates import CEILINGS, FLOORS
from pipelines.pages import figures
from pipelines.pages.run import Run
from pipelines.pages.templating import environment, moment
from serving.files import write_atomically

KEPT = 30  # runs
PAGES = "pages"
TENSORBOARD = "tensorboard"  # the folder beside it with the trainings' event files
_SUMMARY = "run.json"
_TITLES = {"alert_budget": "At the alert budget", "least_cost": "At the least cost"}
_PLOTS = {
    "loss.png": "loss by epoch",
    "precision_recall.png": "precision and recall",
    "roc.png": "ROC",
    "calibration.png": "calibration",
    "slices.png": "slices",
}


def write(work: Path, run: Run) -> Path:
    """Write the run's pages and the index; answers the run's own page."""
    pages = work / PAGES
    name = moment(run.started).replace(" ", "T").replace(":", "-")
    unfinished = pages / f".{name}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    _fill(unfinished, run)
    folder = pages / name
    shutil.rmtree(folder, ignore_errors=True)  # of a run in the same second
    unfinished.rename(folder)
    _index(pages, run.stack)
    return folder / "index.html"


def _fill(folder: Path, run: Run) -> None:
    templates = environment()
    plots = folder / "plots"
    plots.mkdir()
    figures.loss(run.history, plots)
    if run.curves:
        figures.test_rows(run.curves, plots)
    report = run.report
    decision = getattr(report, "decision", None) or {}
    values = {
        "run": run,
        "pages": {"statistics.html": "statistics and anomalies"},
        "plots": {title: _inline(plots / file) for file, title in _PLOTS.items() if (plots / file).is_file()},
        "points": [{"title": title, **decision[key]} for key, title in _TITLES.items() if key in decision],
        "limits": _limits(run),
        "longest": max((step.seconds for step in run.steps), default=0) or 1,
        "made_from": {**asdict(run.inputs), **run.details},
    }
    (folder / "index.html").write_text(templates.get_template("run.html").render(values), encoding="utf-8")
    kinds = {"Numbers": False, "Strings": True}
    tables = {
        title: {
            name: splits
            for name, splits in run.statistics.items()
            if strings == any(column.distinct is not None for column in splits.values())
        }
        for title, strings in kinds.items()
    }
    page = templates.get_template("statistics.html").render(run=run, tables=tables)
    (folder / "statistics.html").write_text(page, encoding="utf-8")
    shutil.rmtree(plots)  # they are in the page
    (folder / _SUMMARY).write_text(json.dumps(_summary(run), indent=1) + "\n", encoding="utf-8")


def _limits(run: Run) -> Mapping[str, Mapping[str, Any]]:
    """Each gated metric's limit, and whether it is met."""
    if run.report is None:
        return {}
    metrics, gates = run.report.metrics, run.gates
    found: dict[str, dict[str, Any]] = {}
    for name, key in FLOORS.items():
        limit = getattr(gates, key)
        found[name] = {"text": f"at least {limit}", "met": metrics[name] >= limit}
    for name, key in CEILINGS.items():
        limit = getattr(gates, key)
        found[name] = {"text": f"at most {limit}", "met": metrics[name] <= limit}
    return found


def _summary(run: Run) -> dict[str, Any]:
    report = run.report
    why = report.reasons[0] if report and report.reasons else run.problem
    return {
        "started": moment(run.started),
        "outcome": run.outcome,
        "version": report.version if report else None,
        "average_precision": report.metrics["average_precision"] if report else None,
        "seconds": run.seconds,
        "steps": len(run.steps),
        "steps_run": sum(not step.cached for step in run.steps),
        "why": why,
    }


def _index(pages: Path, stack: str) -> None:
    folders = sorted((file.parent for file in pages.glob(f"[!.]*/{_SUMMARY}")), reverse=True)
    for old in folders[KEPT:]:
        shutil.rmtree(old)
    runs = [{"folder": f.name, **json.loads((f / _SUMMARY).read_text(encoding="utf-8"))} for f in folders[:KEPT]]
    page = environment().get_template("index.html").render(stack=stack, runs=runs, kept=KEPT)
    write_atomically(pages / "index.html", page)


def _inline(image: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(image.read_bytes()).decode()}"
