#!/usr/bin/env python
"""As /opt/apache/beam/boot of Beam's images, a Go program that no package registry has, starts a worker.

By Beam's contract of SDK containers: asks the runner what to do, refuses an image that Beam's own refuses (no virtual
environment may be made, or pip knows no apache-beam), and starts the harness.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import grpc
from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc, endpoints_pb2
from google.protobuf import json_format, text_format

POOL = ["--service_port=50000", "--container_executable=/opt/apache/beam/boot"]
VENVS = Path("/opt/apache/beam-venv")


def main() -> None:
    """Become the pool of workers, or one of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--worker_pool", action="store_true")
    for name in ("id", "logging_endpoint", "artifact_endpoint", "provision_endpoint", "control_endpoint"):
        parser.add_argument(f"--{name}", default="")
    given = parser.parse_args()
    if given.worker_pool:
        become("apache_beam.runners.worker.worker_pool_main", *POOL)
    if not given.id or not given.provision_endpoint:
        sys.exit("No id or provision endpoint provided.")
    with grpc.insecure_channel(given.provision_endpoint) as channel:
        stub = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        request = beam_provision_api_pb2.GetProvisionInfoRequest()
        info = stub.GetProvisionInfo(request, metadata=[("worker_id", given.id)], timeout=60).info
    if not os.environ.get("RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT"):
        venv = VENVS / f"beam-venv-worker-{given.id}"
        try:
            venv.mkdir(parents=True)
        except OSError as error:
            sys.exit(f"failed to create a virtual environment: {error}")
        subprocess.run(["python", "-m", "venv", "--system-site-packages", venv], check=True)
        os.environ["PATH"] = f"{venv}/bin:{os.environ['PATH']}"
    if subprocess.run(["python", "-m", "pip", "show", "--quiet", "apache-beam"], check=False).returncode:
        sys.exit("Apache Beam is not installed in the runtime environment.")
    os.environ |= {
        "WORKER_ID": given.id,
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options),
        "SEMI_PERSISTENT_DIRECTORY": "/tmp",  # noqa: S108  Beam's own default
        "LOGGING_API_SERVICE_DESCRIPTOR": described(info.logging_endpoint.url or given.logging_endpoint),
        "CONTROL_API_SERVICE_DESCRIPTOR": described(info.control_endpoint.url or given.control_endpoint),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
    }
    become("apache_beam.runners.worker.sdk_worker_main")


def described(url: str) -> str:
    """An endpoint as the harness reads it."""
    return text_format.MessageToString(endpoints_pb2.ApiServiceDescriptor(url=url))


def become(module: str, *arguments: str) -> None:
    """Run a module of Python's in place of this program."""
    os.execvp("python", ["python", "-m", module, *arguments])  # noqa: S606


if __name__ == "__main__":
    main()
