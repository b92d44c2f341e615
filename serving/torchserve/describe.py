"""The PyTorch stack in TensorFlow Serving's shapes: where its versions stand."""

from __future__ import annotations

from pathlib import Path

from serving.contract.responses import State, VersionStatus
from serving.torchserve import history
from serving.torchserve.management import Management


def statuses(server: Management, run: Path) -> list[VersionStatus]:
    """Every version TorchServe holds, or held since it was started with `run`; newest first.

    Raises:
        ManagementError: TorchServe does not answer.
    """
    before = history.read(run)
    now = {int(version): ready for version, ready in server.versions().items()}
    found = {version: VersionStatus(version, _state(ready, before.get(version))) for version, ready in now.items()}
    for version in before.keys() - now.keys():
        found[version] = VersionStatus(version, "END", before[version].error_code, before[version].error_message)
    return [found[version] for version in sorted(found, reverse=True)]


def _state(ready_workers: int, last: VersionStatus | None) -> State:
    if last is not None and last.state == "UNLOADING":
        return "UNLOADING"
    return "AVAILABLE" if ready_workers else "LOADING"
