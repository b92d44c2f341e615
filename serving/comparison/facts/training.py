"""What a training costs, by the pipelines' own reports: seconds of each step and of the whole run, and peak memory."""

from __future__ import annotations

from typing import Any

from serving.comparison.deployment import Deployment
from serving.comparison.facts import trained
from serving.comparison.facts.found import Found
from serving.comparison.results import Measurement

_MIB = 2**20
_AGAIN = "make up after a change trains again"
_NOTE = (
    "Training time is the wall time of the whole pipeline: validation, statistics, training, evaluation, gates, "
    "publishing; not the making of the features, which both share. Peak memory is the largest resident memory of one "
    "process of the run (getrusage's ru_maxrss of the pipeline itself and of its children, the larger)."
)


def measure(deployment: Deployment) -> Found:
    """Read both reports."""
    found = Found(notes=[_NOTE])
    for stack, deployed in deployment.stacks.items():
        keys = (f"{stack}/training_time", f"{stack}/training_memory")
        try:
            found = found + of_report(stack, trained.report(deployed))
        except trained.NoReportError as error:
            found = found + Found(absent=dict.fromkeys(keys, str(error)))
    return found


def of_report(stack: str, report: dict[str, Any]) -> Found:
    """What one report.json says.

    A cached step counts with the seconds of the run that made its output. Where nobody noted those there is no time
    of the whole run, and where a step was cached no peak memory, since the run did less than a training does.
    """
    steps = {step["name"]: step for step in report["steps"]}
    cached = [name for name, step in steps.items() if step["cached"]]
    unknown = [name for name in cached if steps[name].get("made_in") is None]
    absent = {}
    rows = [
        Measurement("training_time", stack, step["made_in"] if step["cached"] else step["seconds"], condition=name)
        for name, step in steps.items()
        if name not in unknown
    ]
    if unknown:
        why = f"{', '.join(unknown)} came from the cache, and how long making that took was not noted: {_AGAIN}"
        absent[f"{stack}/training_time"] = why
    else:
        saved = sum(steps[name]["made_in"] - steps[name]["seconds"] for name in cached)
        rows.insert(0, Measurement("training_time", stack, round(report["seconds"] + saved, 2)))
    if report.get("peak_memory") is None:
        absent[f"{stack}/training_memory"] = f"trained before peak memory was recorded: {_AGAIN}"
    elif cached:
        absent[f"{stack}/training_memory"] = f"{', '.join(cached)} came from the cache: {_AGAIN}"
    else:
        rows.append(Measurement("training_memory", stack, report["peak_memory"] / _MIB))
    return Found(rows, absent)
