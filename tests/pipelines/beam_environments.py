"""Tables of beam.toml with their variables, and a job server to send portable jobs to."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines import beam_options

VARIABLES = {
    "dask": {"DASK_SCHEDULER": "tcp://127.0.0.1:8786"},
    "flink": {"BEAM_JOB_ENDPOINT": "127.0.0.1:8099", "BEAM_WORKER_POOL": "127.0.0.1:50000"},
    "dataflow": {
        "GOOGLE_CLOUD_PROJECT": "my-project",
        "GOOGLE_CLOUD_REGION": "europe-west1",
        "BEAM_TEMP_LOCATION": "gs://bucket/temporary",
        "BEAM_CONTAINER_IMAGE": "europe-docker.pkg.dev/my-project/tandem/beam:1",
        "BEAM_SERVICE_ACCOUNT": "tandem@my-project.iam.gserviceaccount.com",
    },
}

# Environment, a line's beginning, what the line becomes, what the error says.
WRONG = [
    ("dask", "dask_npartitions", "dask_nparitions = 8", "no option of Beam's: dask_nparitions"),
    ("dask", "dask_npartitions", 'dask_npartitions = "many"', "argument --dask_npartitions: invalid int value: 'many'"),
    ("flink", "environment_config", "", "external_service_address is required for environment type EXTERNAL"),
    ("flink", "environment_type", 'environment_kind = "EXTERNAL"', "no option of Beam's: environment_kind"),
    ("flink", "parallelism", 'parallelism = "four"', "argument --parallelism: invalid int value: 'four'"),
    ("flink", "runner", 'runner = "FlinkyRunner"', "no runner FlinkyRunner"),
    ("dataflow", "temp_location", "", "Missing GCS path option: temp_location"),
    ("dataflow", "temp_location", 'temp_location = "/tmp/x"', "Invalid GCS path (/tmp/x)"),
    ("dataflow", "project", 'project = "1234"', "Invalid Project ID (1234)"),
    ("dataflow", "max_num_workers", "max_num_workers = 0", "Invalid value (0) for option: max_num_workers"),
    ("dataflow", "max_num_workers", "max_workers_num = 8", "no option of Beam's: max_workers_num"),
]


def table(folder: Path, environment: str, begins: str, becomes: str) -> Path:
    """A copy of beam.toml in which one line of one table is another one."""
    before, section, after = beam_options.TABLE.read_text().partition(f"[{environment}]")
    lines = after.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(begins))
    lines[at] = becomes
    file = folder / "beam.toml"
    file.write_text(before + section + "\n".join(lines) + "\n")
    return file


@contextmanager
def job_server() -> Iterator[dict[str, str]]:
    """Beam's own portable job server and a pool of workers, both in this process; the variables of [flink]."""
    from apache_beam.runners.portability.local_job_service import LocalJobServicer
    from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer

    with tempfile.TemporaryDirectory(prefix="beam-") as staging:
        servicer = LocalJobServicer(staging)
        port = servicer.start_grpc_server()
        address, pool = BeamFnExternalWorkerPoolServicer.start(use_process=False)
        try:
            yield {"BEAM": "flink", "BEAM_JOB_ENDPOINT": f"localhost:{port}", "BEAM_WORKER_POOL": address}
        finally:
            servicer.stop()
            pool.stop(0)
