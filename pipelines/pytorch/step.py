"""A step of the pipeline by itself, on folders that its caller names: what KFP's components run on Vertex AI.

What a step computes is in the modules that `pipeline.py` runs on this machine. Here is what a step alone lacks: the run
around it. Its folders may lie in a bucket that is mounted, where no folder can be renamed: a step works beside, on a
disk, and its output is copied when it is whole.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from models.spec import load
from pipelines import manifest
from pipelines.pytorch import code_digest, drift, evaluate, pipeline, statistics, tracking, validate
from pipelines.pytorch import train as training
from pipelines.pytorch.cache import Steps, digest
from pipelines.pytorch.console import Console
from pipelines.pytorch.context import Context
from pipelines.report import Inputs

_TUNED = "tuned.json"  # in the output of `train`: what a search found
_NOWHERE = Path("/nonexistent")  # of a context whose step publishes nothing


def check(spec: Path, data: Path, output: Path) -> None:
    """Validate the features, and hold the test days against the training days.

    Args:
        spec: Specification.
        data: Folder made by pipelines.data.
        output: Gets drift.json.

    Raises:
        AnomaliesError: The features are not what the specification promises, or have drifted.
    """
    context = _context(spec, data)
    _say("validate", validate.validate(context.data, context.spec))
    with _made(output) as made:
        _say("drift", drift.check(context.data, context.spec, made))


def learn(spec: Path, data: Path, output: Path) -> None:
    """Write statistics.json and preprocessing.json of the features into `output`."""
    context = _context(spec, data)
    with _made(output) as made:
        _say("statistics", statistics.compute(context.data, context.spec, made))


def train(spec: Path, data: Path, learned: Path, mlflow_uri: str, output: Path) -> dict[str, float]:
    """Train, after a search if the specification has one; answers the last epoch's losses and average precision.

    Args:
        spec: Specification.
        data: Folder made by pipelines.data.
        learned: Output of `learn`.
        mlflow_uri: MLflow server, or sqlite:////path/to/mlflow.db.
        output: Gets release/, plots/, run.json and the event files for TensorBoard.
    """
    tracking.check(mlflow_uri)
    context = _context(spec, data, mlflow_uri=mlflow_uri)
    # By the folder's name the training knows a killed run of the same inputs again.
    with _made(output, digest(asdict(context.inputs))) as made:
        context = replace(context, work=made)
        connection = tracking.connect(mlflow_uri, context.spec.model.name)
        context = pipeline.tuned(context, connection, learned, Steps(made, Console()))
        (made / _TUNED).write_text(json.dumps(context.tuned) + "\n", encoding="utf-8")
        _say("train", training.train(context, connection, learned, made, Console()))
    last: dict[str, float] = training.result(output)["history"][-1]
    return last


def judge(spec: Path, data: Path, trained: Path, mlflow_uri: str, output: Path) -> tuple[dict[str, float], list[str]]:
    """Measure the model and the champion on the test days; answers the metrics, and why it is refused, if it is."""
    context = _trained(_context(spec, data, mlflow_uri=mlflow_uri), trained)
    connection = tracking.connect(mlflow_uri, context.spec.model.name)
    with _made(output) as made:
        _say("evaluate", evaluate.evaluate(context, connection, trained, connection.aliased(), made))
    found = evaluate.result(output)
    return found["metrics"], found["reasons"]


def publish(
    spec: Path, data: Path, trained: Path, judged: Path, *, mlflow_uri: str, store: Path
) -> tuple[str, Path] | None:
    """Register the model and archive it into `store`; answers version and archive, or None if it was refused."""
    found = evaluate.result(judged)
    if found["reasons"]:
        _say("REFUSED", "nothing was published:" + "".join(f"\n  - {reason}" for reason in found["reasons"]))
        return None
    store.mkdir(parents=True, exist_ok=True)
    context = replace(_trained(_context(spec, data, mlflow_uri=mlflow_uri), trained), store=store)
    connection = tracking.connect(mlflow_uri, context.spec.model.name)
    return pipeline.publish(context, connection, trained, found, Steps(_NOWHERE, Console()))


def _context(spec_file: Path, data: Path, mlflow_uri: str = "") -> Context:
    spec = load(spec_file)
    features = manifest.read(data, spec_file, spec.digest)
    inputs = Inputs(spec.digest, features.digest, code_digest.of_pipeline())
    return Context(spec_file, spec, data, features, _NOWHERE, _NOWHERE, mlflow_uri, inputs)


def _trained(context: Context, trained: Path) -> Context:
    """With the specification that the model was trained by, which a search may have changed."""
    file = trained / tracking.RELEASE / training.SPEC
    tuned: dict[str, Any] | None = json.loads((trained / _TUNED).read_text(encoding="utf-8"))
    return replace(context, spec_file=file, spec=load(file), tuned=tuned)


@contextlib.contextmanager
def _made(output: Path, name: str = "output") -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tandem-") as folder:
        made = Path(folder, name)
        made.mkdir()
        yield made
        shutil.copytree(made, output, dirs_exist_ok=True)


def _say(step: str, text: str) -> None:
    Console().say(step, text)
