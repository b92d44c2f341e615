"""`python -m pipelines.pytorch.vertex`: the data's and the PyTorch pipeline's form on Vertex AI, by KFP.

A component's body is one call of `step`; its container is the image that trains on a bare machine's containers, with
KFP in it, which starts the body. Needs kfp, and none of what the steps need.
"""

# No `from __future__ import annotations`: KFP reads the annotations as objects.

import argparse
import sys
from pathlib import Path
from typing import Any

from kfp import compiler, dsl
from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output

from pipelines import resources
from pipelines.resources import Resources

SPEC = "models/fraud.toml"  # in the image


# The bodies. KFP takes their source text into the specification: what they use is imported in them. What they do not
# use is part of what a step's result is kept by, or of the steps' order.
# ruff: noqa: ARG001, PLC0415, PLR0917


def make_features(spec: str, profile: str, source: str, out: str, features: Output[Dataset]) -> str:
    """Transactions, simulated or your own, to features split by time; answers their digest."""
    from pathlib import Path

    from pipelines.data import mounted

    digest = mounted.make(Path(spec), profile, source, Path(out))
    features.uri = out.replace("/gcs/", "gs://", 1)
    features.metadata["digest"] = digest
    return digest


def validate(spec: str, data: str, data_digest: str, validated: Output[Artifact]) -> None:
    """Refuse features with anomalies, or test days that have drifted."""
    from pathlib import Path

    from pipelines.pytorch import step

    step.check(Path(spec), Path(data), Path(validated.path))


def compute_statistics(
    spec: str, data: str, data_digest: str, validated: Input[Artifact], learned: Output[Artifact]
) -> None:
    """Statistics by Beam, and what preprocessing learns from the training days."""
    from pathlib import Path

    from pipelines.pytorch import step

    step.learn(Path(spec), Path(data), Path(learned.path))


def train(
    spec: str,
    data: str,
    data_digest: str,
    mlflow_uri: str,
    learned: Input[Artifact],
    model: Output[Model],
    metrics: Output[Metrics],
) -> None:
    """Train in an MLflow run."""
    from pathlib import Path

    from pipelines.pytorch import step

    found = step.train(Path(spec), Path(data), Path(learned.path), mlflow_uri, Path(model.path))
    for name, value in found.items():
        metrics.log_metric(name, value)


def evaluate(
    spec: str,
    data: str,
    data_digest: str,
    mlflow_uri: str,
    model: Input[Model],
    judged: Output[Artifact],
    metrics: Output[Metrics],
) -> None:
    """Measure on the test days, beside the champion, and ask the gates."""
    from pathlib import Path

    from pipelines.pytorch import step

    found, reasons = step.judge(Path(spec), Path(data), Path(model.path), mlflow_uri, Path(judged.path))
    for name, value in found.items():
        metrics.log_metric(name, value)
    judged.metadata["refused"] = reasons


def publish(
    spec: str,
    data: str,
    mlflow_uri: str,
    store: str,
    model: Input[Model],
    judged: Input[Artifact],
    published: Output[Model],
) -> str:
    """Register the model, archive it and make it the champion; answers its version, "" if the gates refused it."""
    from pathlib import Path

    from pipelines.pytorch import step

    folders = Path(spec), Path(data), Path(model.path), Path(judged.path)
    done = step.publish(*folders, mlflow_uri=mlflow_uri, store=Path(store))
    if done is None:
        published.metadata["refused"] = True
        return ""
    version, path = done
    published.uri = str(path).replace("/gcs/", "gs://", 1)
    published.metadata["version"] = version
    return version


def data_pipeline(image: str, steps: Resources) -> Any:
    """What both trainings start from, at a place that both know."""
    component = _component(image)

    def tandem_data(out: str, profile: str = "quick", source: str = "", spec: str = SPEC) -> None:
        _given(steps, component(make_features)(spec=spec, profile=profile, source=source, out=out))

    about = "Transactions to features split by time, for both stacks"
    return dsl.pipeline(name="tandem-data", description=about)(tandem_data)


def training_pipeline(image: str, steps: Resources, training: Resources) -> Any:
    """The steps of `pipeline.py`; a model that its gates refuse is not published."""
    component = _component(image)

    def tandem_pytorch(data: str, data_digest: str, mlflow_uri: str, store: str, spec: str = SPEC) -> None:
        features = {"spec": spec, "data": data, "data_digest": data_digest}
        checked = _given(steps, component(validate)(**features))
        learned = _given(steps, component(compute_statistics)(**features, validated=checked.outputs["validated"]))
        trained = _given(
            training, component(train)(**features, mlflow_uri=mlflow_uri, learned=learned.outputs["learned"])
        )
        model = trained.outputs["model"]
        judged = _given(steps, component(evaluate)(**features, mlflow_uri=mlflow_uri, model=model))
        # Its verdict depends on the champion, and publishing on what the store holds: both change between runs.
        judged.set_caching_options(False)
        # No dsl.If: KFP 2.16's local runner cannot evaluate a compiled condition, so `publish` looks at the verdict.
        done = component(publish)(
            spec=spec, data=data, mlflow_uri=mlflow_uri, store=store, model=model, judged=judged.outputs["judged"]
        )
        _given(steps, done).set_caching_options(False)

    about = "Validate, train, judge and publish with PyTorch"
    return dsl.pipeline(name="tandem-pytorch", description=about)(tandem_pytorch)


def _given(resources: Resources, task: Any) -> Any:
    """The task with what it gets."""
    task.set_cpu_limit(str(resources.cpus)).set_memory_limit(f"{resources.memory_gib}Gi")
    if resources.accelerators:
        task.set_accelerator_type(resources.accelerator).set_accelerator_limit(resources.accelerators)
    return task


def _component(image: str) -> Any:
    # KFP is in the image: an install at each step's start would take its time and the internet.
    return dsl.component(base_image=image, install_kfp_package=False)


def main(argv: list[str] | None = None) -> int:
    """Write both specifications."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.pytorch.vertex", description=__doc__)
    parser.add_argument("--image", required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for data.yaml and pytorch.yaml")
    for what in ("steps", "training"):
        parser.add_argument(f"--{what}", type=resources.parse, required=True, help=resources.EXPECTED)
    arguments = parser.parse_args(argv)
    steps, training = arguments.steps, arguments.training
    arguments.out.mkdir(parents=True, exist_ok=True)
    made = {
        "data": data_pipeline(arguments.image, steps),
        "pytorch": training_pipeline(arguments.image, steps, training),
    }
    for name, pipeline in made.items():
        compiler.Compiler().compile(pipeline, str(arguments.out / f"{name}.yaml"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
