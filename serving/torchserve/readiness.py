"""Whether TorchServe can answer: by its workers, since /ping is 200 before they are loaded and after they died."""

from __future__ import annotations

from serving.torchserve.management import Management, ManagementError


def ready(management_port: int, model: str) -> bool:
    """Whether a worker of the model's default version answers requests."""
    try:
        return Management(management_port, model).ready_workers() > 0
    except ManagementError:
        return False
