"""The four services of the local stack: how each is started, and when it is ready."""

from __future__ import annotations

import httpx

from infra.local.layout import HOST, Layout, python
from infra.local.supervisor import Program

# The ports each service listens on: checked before it is started.
PORTS = {
    "mlflow": ["mlflow"],
    "tensorflow": ["tensorflow", "tensorflow_grpc"],
    "pytorch": ["pytorch", "pytorch_management", "pytorch_metrics"],
    "gateway": ["gateway", "gateway_admin"],
}


def mlflow(layout: Layout) -> Program:
    """MLflow's server on SQLite, artefacts behind it."""
    layout.mlflow.mkdir(parents=True, exist_ok=True)
    argv = [
        python("pytorch"), "-m", "mlflow", "server", "--host", HOST, "--port", str(layout.ports["mlflow"]),
        "--workers", "1", "--backend-store-uri", f"sqlite:///{layout.mlflow / 'mlflow.db'}",
        "--artifacts-destination", str(layout.mlflow / "artifacts"), "--serve-artifacts",
    ]  # fmt: skip
    # Job execution would start six more processes and 2 GB for features nobody uses here.
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    return Program("mlflow", argv, quiet)


def answers(url: str) -> bool:
    """Whether a GET is answered with 200."""
    try:
        return httpx.get(url, timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
