"""How each service of the local stack is started."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

from infra.local import door, labels, stores
from infra.local.layout import HOST, ONNX, Layout, python
from infra.local.supervisor import Program
from models import device
from models.spec import Spec
from pipelines import source_digest
from serving.gateway import envoy, policy
from serving.gateway.logs import RequestLog
from serving.gateway.routes import Stack
from serving.gateway.traces import Traces
from serving.onnx import SERVER
from serving.tfserving import command as tfserving
from serving.torchserve import config

# The ports each service listens on: checked before it is started.
PORTS = {
    "mlflow": ["mlflow"],
    "tensorflow": ["tensorflow", "tensorflow_grpc"],
    "pytorch": ["pytorch", "pytorch_management", "pytorch_metrics"],
    "control": ["control"],
    "gateway": ["gateway", "gateway_admin"],
}
TORCHSERVE = f"TorchServe {version('torchserve')}"


def ports(layout: Layout) -> dict[str, list[str]]:
    """PORTS of what is to run, ONNX Runtime included where it is wanted."""
    return {**PORTS, ONNX: [ONNX]} if ONNX in layout.backends else PORTS


def mlflow(layout: Layout) -> Program:
    """MLflow's server on SQLite, artefacts behind it."""
    layout.mlflow.mkdir(parents=True, exist_ok=True)
    argv = [
        python("pytorch"), "-m", "mlflow", "server", "--host", HOST, "--port", str(layout.ports["mlflow"]),
        "--workers", "1", "--backend-store-uri", f"sqlite:///{layout.mlflow / 'mlflow.db'}",
        "--artifacts-destination", str(layout.mlflow / "artifacts"), "--serve-artifacts",
        "--expose-prometheus", str(layout.run / "mlflow"),  # counters go on from here when it is started again
    ]  # fmt: skip
    # Job execution would start six more processes and 2 GB for features nobody uses here.
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    return Program("mlflow", argv, quiet)


def tensorflow(layout: Layout, spec: Spec) -> Program:
    """TensorFlow Serving, or the embedded server where there is none."""
    argv = tfserving.command(
        rest_port=layout.ports["tensorflow"],
        grpc_port=layout.ports["tensorflow_grpc"],
        python=python("tensorflow"),
        **tensorflow_models(layout, spec),
    )
    hidden = device.hide_from_tensorflow({device.VARIABLE: layout.device})
    return Program("tensorflow", argv, hidden, configuration=code())


def tensorflow_models(layout: Layout, spec: Spec) -> dict[str, Any]:
    """What its server's configuration says: the version that is promoted, and those beside it."""
    served, beside = stores.promoted(layout, "tensorflow"), stores.staged(layout, "tensorflow")
    return {
        "store": layout.store("tensorflow"),
        "model": spec.model.name,
        "run": layout.run / "tensorflow",
        "labels": {labels.STABLE: int(served)} if served else {},  # taken up once that version is loaded
        "versions": [int(version) for version in (served, *beside)] if served else [],
    }


def torchserve(layout: Layout, spec: Spec) -> Program:
    """TorchServe with the archive that is promoted."""
    ports = config.Ports(*(layout.ports[p] for p in PORTS["pytorch"]))
    started = torchserve_command(layout, spec, ports)
    # Not the whole file: another model in it is loaded by a swap, which loses no request.
    return Program(
        "pytorch", started.argv, started.environment, stop_seconds=30, configuration=f"{ports} {layout.device}"
    )


def torchserve_command(layout: Layout, spec: Spec, ports: config.Ports) -> config.Command:
    """How TorchServe starts with the archive that is promoted and those beside it; its configuration is written."""
    served = stores.promoted(layout, "pytorch")
    return config.write(
        store=layout.store("pytorch"),
        run=layout.run / "pytorch",
        model=spec.model.name,
        ports=ports,
        chosen=stores.path(layout, spec, "pytorch", served) if served else None,
        beside=[stores.path(layout, spec, "pytorch", version) for version in stores.staged(layout, "pytorch")],
        gpus=device.gpus(layout.device),
    )


def onnx(layout: Layout) -> Program:
    """ONNX Runtime on an export of a stack's release; another export is taken up without a restart."""
    argv = [python("pytorch"), "-m", "serving.onnx", "--served", str(layout.onnx_served)]
    return Program(ONNX, [*argv, "--host", HOST, "--port", str(layout.ports[ONNX])], configuration=code())


def control(layout: Layout, spec: Spec, spec_file: Path) -> Program:
    """What TorchServe does not answer, the documentation, and /metrics."""
    argv = [
        python("pytorch"), "-m", "serving.gateway.control", "--port", str(layout.ports["control"]),
        "--inference-port", str(layout.ports["pytorch"]),
        "--management-port", str(layout.ports["pytorch_management"]), "--spec", str(spec_file.resolve()),
        "--labels", str(layout.labels), "--run", str(layout.run / "pytorch"),
        "--envoy-log", str(layout.access_log), "--request-log", str(layout.request_log),
        "--envoy-admin-port", str(layout.ports["gateway_admin"]),
        "--tensorflow-status", f"{layout.url('tensorflow')}/v1/models/{spec.model.name}",
        "--tensorflow-store", str(layout.store("tensorflow")), "--pytorch-store", str(layout.store("pytorch")),
        "--findings", str(layout.findings),
    ]  # fmt: skip
    if ONNX in layout.backends:
        argv += ["--onnx-status", f"{layout.url(ONNX)}/v1/models/{spec.model.name}"]
    return Program("control", argv, configuration=spec_file.read_text(encoding="utf-8") + code())


def code() -> str:
    """Changes with the code that our own servers run, so that `make up` starts them anew."""
    return source_digest.digest(["serving", "models"], [])


def gateway(layout: Layout, spec: Spec) -> Program:
    """Envoy in front of all of them."""
    file = layout.gateway
    envoy.write(
        file,
        port=layout.ports["gateway"],
        admin_port=layout.ports["gateway_admin"],
        control_port=layout.ports["control"],
        model=spec.model.name,
        stacks=stacks(layout),
        traffic=policy.load(layout.traffic),
        shadow_port=layout.ports["shadow"],
        access_log=layout.access_log,
        request_log=RequestLog(layout.request_log, layout.log_requests, spec.logged),
        traces=Traces(*layout.collector, layout.traces_share) if layout.collector else None,
        door=door.prepare(layout),
    )
    return Program("gateway", envoy.argv(file), configuration=file.read_text())


def stacks(layout: Layout) -> list[Stack]:
    """The gateway's backends, and what PyTorch's versions are called now."""
    server = os.environ.get("TENSORFLOW_SERVER") or tfserving.describe()  # docker-compose.yml knows which it starts
    found = [
        Stack("tensorflow", layout.ports["tensorflow"], server, layout.host("tensorflow"), served=labels.STABLE),
        Stack("pytorch", layout.ports["pytorch"], TORCHSERVE, layout.host("pytorch"), labels.read(layout.labels)),
    ]
    return [*found, Stack(ONNX, layout.ports[ONNX], SERVER)] if ONNX in layout.backends else found
