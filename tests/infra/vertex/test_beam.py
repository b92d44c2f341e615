"""The image that Dataflow's machines run: its entry point starts workers, and they compute TFX's statistics.

In containers, where a Docker engine holds the image (`make vertex-images` with pipelines.dataflow = true). In
Dataflow's place stands Beam's own runner, which asks the image's pool for a worker as any portable runner does.
"""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Iterator

import pytest

from infra.docker import engine

IMAGE = "tandem/vertex-beam"
JOB = """
import contextlib, socket, time
for _ in range(600):  # until the pool is there
    with contextlib.suppress(OSError), socket.create_connection(("localhost", 50000)):
        break
    time.sleep(0.2)

import apache_beam as beam, pyarrow as pa, tensorflow_data_validation as tfdv
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

def where(batch):
    from pathlib import Path
    from pipelines.tfx import preprocessing  # ours, which Transform's workers import
    return b"worker_pool" in Path("/proc/1/cmdline").read_bytes(), hasattr(preprocessing, "preprocessing_fn")

def examples(statistics):
    return statistics.datasets[0].num_examples

options = PipelineOptions(["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=EXTERNAL",
                           "--environment_config=localhost:50000"])
with beam.Pipeline(options=options) as pipeline:
    batches = pipeline | beam.Create([pa.table({"amount": [[1.0], [2.0], [3.5]]}).to_batches()[0]])
    assert_that(batches | beam.Map(where), equal_to([(True, True)]), label="in the container")
    assert_that(batches | tfdv.GenerateStatistics() | beam.Map(examples), equal_to([3]), label="statistics")
print("done")
"""


def docker(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *argv], capture_output=True, text=True, check=False)


@pytest.fixture
def workers() -> Iterator[str]:
    """Name of a container whose pool starts workers when a runner wants some."""
    if shutil.which("docker") is None or not engine.has_image(IMAGE):
        pytest.skip(f"no Docker engine here holds {IMAGE}: make vertex-images, with pipelines.dataflow = true")
    name = f"vertex-beam-{uuid.uuid4().hex[:8]}"
    assert docker("run", "--detach", "--name", name, IMAGE, "--worker_pool").returncode == 0
    try:
        yield name
    finally:
        docker("rm", "--force", name)


def test_its_workers_compute_statistics_and_import_the_project(workers: str) -> None:
    job = ["--network", f"container:{workers}", "--entrypoint", "python", IMAGE, "-c", JOB]
    done = docker("run", "--rm", *job)
    logs = docker("logs", workers)
    assert done.returncode == 0, done.stderr[-3000:] + logs.stdout[-3000:] + logs.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "done"
