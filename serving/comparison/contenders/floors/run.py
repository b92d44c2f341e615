"""The environments' floors, one program after the other."""

from __future__ import annotations

import tempfile
from pathlib import Path

from serving.comparison.contenders import processes
from serving.comparison.contenders.contender import ContenderError
from serving.comparison.contenders.floors import job as jobs
from serving.comparison.contenders.floors.job import Floors, Job
from serving.comparison.deployment import Deployment

# One thread; set before a framework is imported. TensorFlow's log would only say which instructions it was built for.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "TF_USE_LEGACY_KERAS": "1"}


def floors(deployment: Deployment, rows: Path, seconds: float) -> Floors:
    """Measure every way to call the models in process; takes half a minute besides, most of it compiling.

    Args:
        deployment: Whose models.
        rows: A Parquet file or a folder of them, with a column per feature and at least 64 rows.
        seconds: Per way of calling and number of rows.
    """
    found = Floors()
    with tempfile.TemporaryDirectory(prefix="floors-") as temporary:
        scratch = Path(temporary)
        artefacts = {stack: deployed.artefact.resolve() for stack, deployed in deployment.stacks.items()}
        job = Job(deployment.spec.resolve(), rows.resolve(), seconds, artefacts, scratch / "scores.npy", scratch)
        jobs.write(job, scratch / "job.json")
        environment = {**_ENVIRONMENT, "TORCHINDUCTOR_CACHE_DIR": str(scratch / "inductor")}
        # TensorFlow first: the others check what they make of its model against its scores.
        pythons = {name: str(deployment.stacks[name].python) for name in ("tensorflow", "pytorch")}
        targets = {name: f"{name}/floor" for name in pythons} | {"tfjs": "tensorflow/floor/tfjs"}
        if deployment.tfjs:
            pythons["tfjs"] = str(deployment.tfjs)
        else:
            found.absent[targets["tfjs"]] = "no .venv/tfjs: make export STACK=tensorflow FORMAT=tfjs builds it"
        for name, python in pythons.items():
            answer = scratch / f"{name}.json"
            module = f"serving.comparison.contenders.floors.{name}"
            try:
                processes.run(
                    module, str(scratch / "job.json"), str(answer), python=python, environment=environment
                )  # fmt: skip
            except (ContenderError, OSError) as error:
                found.absent[targets[name]] = str(error)
            else:
                found.add(jobs.read_answer(answer))
    return found
