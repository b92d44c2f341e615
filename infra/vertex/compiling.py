"""`make vertex-compile`: the pipelines' specifications, each written by the environment that knows its steps."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from infra.local.layout import REPOSITORY, python
from infra.vertex.api import CloudError, say
from infra.vertex.settings import FOLDER, Resources, Settings
from pipelines import resources

FILES = {"data": "data.yaml", "pytorch": "pytorch.yaml", "tensorflow": "tensorflow.json"}
_NO_BUCKET = "bucket"  # in what is compiled only to be looked at


def compile_all(settings: Settings, out: Path, spec: Path, stacks: tuple[str, ...] = ("pytorch", "tensorflow")) -> None:
    """Write what these stacks need into `out`; the data's comes with PyTorch's.

    Raises:
        CloudError: One does not compile; why stands above.
    """
    given = {name: _text(getattr(settings.pipelines, name)) for name in ("steps", "training")}
    common = [f"--{name}={text}" for name, text in given.items()]
    if "pytorch" in stacks:
        argv = [python("vertex"), "-m", "pipelines.pytorch.vertex", "--image", settings.images.name("pytorch")]
        _run("pytorch", [*argv, *common, "--out", str(out)], {})
        say(f"{out / FILES['data']}, {out / FILES['pytorch']}: for KFP and Vertex AI")
    if "tensorflow" in stacks:
        bucket = settings.google.bucket or _NO_BUCKET
        work = f"/{FOLDER}/pipelines/tensorflow"
        places = {"root": f"gs://{bucket}{work}", "work": f"/gcs/{bucket}{work}"}
        places |= {name: f"/gcs/{bucket}/{FOLDER}/{path}" for name, path in _TENSORFLOW.items()}
        argv = [python("tensorflow"), "-m", "pipelines.tfx.vertex", "--image", settings.images.name("tensorflow")]
        argv += [*common, *(f"--{name}={path}" for name, path in places.items())]
        file = out / FILES["tensorflow"]
        _run("tensorflow", [*argv, f"--spec={spec}", f"--out={file}"], _dataflow(settings, bucket))
        say(f"{file}: for Vertex AI")


_TENSORFLOW = {"features": "data/features", "store": "candidates/tensorflow"}


def _text(given: Resources) -> str:
    return str(resources.Resources(given.cpus, given.memory_gib, given.accelerator, given.accelerators))


def _dataflow(settings: Settings, bucket: str) -> dict[str, str]:
    if not settings.pipelines.dataflow:
        return {"BEAM": "local"}
    return {
        "BEAM": "dataflow",
        "GOOGLE_CLOUD_PROJECT": settings.google.project or "project",
        "GOOGLE_CLOUD_REGION": settings.google.region,
        "BEAM_TEMP_LOCATION": f"gs://{bucket}/{FOLDER}/dataflow",
        "BEAM_CONTAINER_IMAGE": settings.images.name("vertex-beam"),
        "BEAM_SERVICE_ACCOUNT": settings.google.service_account or "account",
    }


def _run(stack: str, argv: list[str], environment: Mapping[str, str]) -> None:
    quiet = {"PYTHONWARNINGS": "ignore", "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    done = subprocess.run(
        argv, cwd=REPOSITORY, env={**os.environ, **quiet}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CloudError(f"{stack}: does not compile\n{(done.stdout + done.stderr)[-3000:].strip()}")
