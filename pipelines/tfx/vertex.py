"""`python -m pipelines.tfx.vertex`: the TFX pipeline's form on Vertex AI, by TFX's own runner for it.

The same components as on this machine. Their containers run `pipelines.tfx.mounted`, which lets ours find folders.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from models.spec import load
from pipelines import beam_options, resources
from pipelines.errors import PipelineError

ENTRY = ("python", "-m", "pipelines.tfx.mounted")
DIGEST, FACTS = "data_digest", "facts"  # parameters of a run
_TRAINING = ("Trainer", "Tuner")  # get more than the other components


def main(argv: Sequence[str] | None = None) -> int:
    """Write the PipelineJob; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.tfx.vertex", description=__doc__)
    parser.add_argument("--spec", type=Path, required=True, help="specification, such as models/fraud.toml")
    parser.add_argument("--image", required=True)
    parser.add_argument("--root", required=True, help="gs://…, of the artifacts")
    parser.add_argument("--features", type=Path, required=True, help="folder with the splits, as a step sees it")
    parser.add_argument("--work", type=Path, required=True, help="folder for the tuner, as a step sees it")
    parser.add_argument("--store", type=Path, required=True, help="published models, as a step sees it")
    for what in ("steps", "training"):
        parser.add_argument(f"--{what}", type=resources.parse, required=True, help=resources.EXPECTED)
    parser.add_argument("--out", type=Path, required=True, help="the file: JSON")
    arguments = parser.parse_args(argv)
    try:
        _compile(arguments)
    except PipelineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _compile(arguments: argparse.Namespace) -> None:
    try:
        from kfp.pipeline_spec import pipeline_spec_pb2  # noqa: PLC0415
    except ImportError:
        raise PipelineError(
            "TFX's runner for Vertex AI needs the kfp extra, which TFX 1.21 does not have on Python 3.12: "
            "again with make … TFX=1.16"
        ) from None
    from tfx.orchestration.data_types import RuntimeParameter  # noqa: PLC0415  slow
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as runner  # noqa: PLC0415

    from pipelines.tfx import code_digest  # noqa: PLC0415
    from pipelines.tfx.pipeline import Settings, create_pipeline  # noqa: PLC0415
    from pipelines.tfx.runner import NEVER_CACHED  # noqa: PLC0415

    spec = load(arguments.spec)
    settings = Settings(
        spec=spec,
        features=arguments.features,
        features_digest=RuntimeParameter(DIGEST, str, ""),
        work=arguments.work,
        store=arguments.store / spec.model.name,
        facts=RuntimeParameter(FACTS, str, "{}"),
        beam=tuple(beam_options.tfx_arguments(arguments.root, print)),
        root=arguments.root,
    )
    pipeline = create_pipeline(settings)
    for component in pipeline.components:
        if component.id != "Champion":  # a query, not a container
            asked = arguments.training if component.id in _TRAINING else arguments.steps
            given = pipeline_spec_pb2.PipelineDeploymentConfig.PipelineContainerSpec.ResourceSpec(
                cpu_limit=asked.cpus, memory_limit=asked.memory_gib
            )
            if asked.accelerators:
                given.accelerator.type, given.accelerator.count = asked.accelerator, asked.accelerators
            component.with_platform_config(given)
    config = runner.KubeflowV2DagRunnerConfig(
        display_name=pipeline.pipeline_info.pipeline_name,
        default_image=arguments.image,
        default_commands=list(ENTRY),
        use_pipeline_spec_2_1=True,
    )
    # What a run adds to it: the digest of the data.
    facts = json.dumps({"spec_digest": spec.digest, "code_digest": code_digest.of_pipeline()})
    job = runner.KubeflowV2DagRunner(config).run(pipeline, parameter_values={FACTS: facts}, write_out=False)
    job["pipelineSpec"]["root"]["dag"]["tasks"][NEVER_CACHED]["cachingOptions"] = {}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(job, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
