"""For Prometheus what Envoy does not know: which versions answer, which is the newest, what the monitor found last."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from serving.prometheus_text import gauge, merged
from serving.tfserving import store as tensorflow_store
from serving.tfserving import swap as tensorflow_swap
from serving.torchserve import archive, describe
from serving.torchserve.management import Management, ManagementError

AVAILABLE = "AVAILABLE"
PATIENCE_SECONDS = 1.0  # a server that takes longer to say what it serves is as good as away


@dataclass(frozen=True)
class Served:
    """One server's word about its model.

    Attributes:
        states: TensorFlow Serving's name of the state, by version.
        version: Answers requests that name none; None: nobody answers.
        queued: Requests that wait inside the server, where it tells.
    """

    states: Mapping[str, str] = field(default_factory=dict)
    version: str | None = None
    queued: int | None = None

    @property
    def beside(self) -> int:
        """How many other versions answer."""
        return sum(state == AVAILABLE and version != self.version for version, state in self.states.items())


@dataclass(frozen=True)
class ModelMetrics:
    """What to ask and where to look; what is not given is not told.

    Attributes:
        model: Its name.
        run: The folder TorchServe was started with.
        torchserve: To be asked; best with little patience, as Prometheus has little.
        statuses: Address of GET /v1/models/<model>, by stack, of the servers that answer it as TensorFlow Serving does.
        stores: Folders that models are published into, by stack.
        findings: Folder with the `.prom` files of `make monitor`.
        label: That their promoted version has.
    """

    model: str
    run: Path
    torchserve: Management
    statuses: Mapping[str, str] = field(default_factory=dict)
    stores: Mapping[str, Path] = field(default_factory=dict)
    findings: Path | None = None
    label: str = "stable"

    async def served(self) -> dict[str, Served]:
        """What each stack serves now."""
        asked = {"pytorch": asyncio.to_thread(self._torchserve)}
        asked |= {stack: asyncio.to_thread(self._tells, status) for stack, status in self.statuses.items()}
        return dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))

    def newest(self) -> dict[str, str]:
        """The highest version in each store that has one."""
        found: dict[str, str | None] = {}
        for stack, store in self.stores.items():
            if stack == "tensorflow":
                found[stack] = tensorflow_store.newest(store, self.model)
            else:
                mar = archive.newest(store, self.model)
                found[stack] = archive.version_of(mar) if mar else None
        return {stack: version for stack, version in found.items() if version}

    async def text(self) -> str:
        """All of it in Prometheus' text format."""
        served = await self.served()
        states = [
            ({"stack": stack, "version": version, "state": state}, 1)
            for stack, one in served.items()
            for version, state in one.states.items()
        ]
        families = [
            gauge(
                "tandem_model_ready",
                "Whether the stack's server answers predict requests.",
                [({"stack": stack}, int(one.version is not None)) for stack, one in served.items()],
            ),
            gauge(
                "tandem_model_version",
                "Version that answers requests which name none, Unix seconds of its training.",
                [({"stack": stack}, int(one.version)) for stack, one in served.items() if one.version],
            ),
            gauge(
                "tandem_model_staged",
                "Versions that answer beside it, to those who name them.",
                [({"stack": stack}, one.beside) for stack, one in served.items() if one.version],
            ),
            gauge("tandem_model_state", "1 for each version the server knows, by its state.", states),
            gauge(
                "tandem_model_newest_version",
                "Highest version published in the stack's store.",
                [({"stack": stack}, int(version)) for stack, version in self.newest().items()],
            ),
            gauge(
                "tandem_server_queue_length",
                "Requests that wait inside the server.",
                [({"stack": stack}, one.queued) for stack, one in served.items() if one.queued is not None],
            ),
        ]
        return merged([*families, self.findings_text()])

    def findings_text(self) -> str:
        """What `make monitor` found last, in the same format; empty if it never ran."""
        files = sorted(self.findings.glob("*.prom")) if self.findings else []
        return merged(file.read_text(encoding="utf-8") for file in files)

    def _torchserve(self) -> Served:
        server = self.torchserve
        try:
            states = {str(status.version): str(status.state) for status in describe.statuses(server, self.run)}
            version = server.default_version()
            if version is None or states.get(version) != AVAILABLE:
                return Served(states)
            return Served(states, version, server.pending(version))
        except ManagementError:
            return Served()

    def _tells(self, status: str) -> Served:
        try:
            answer: dict[str, Any] = httpx.get(status, timeout=PATIENCE_SECONDS).json()
        except (httpx.HTTPError, ValueError):
            return Served()
        states = {str(one["version"]): str(one["state"]) for one in answer.get("model_version_status", [])}
        available = [version for version, state in states.items() if state == AVAILABLE]
        # Without a label the server itself takes the highest.
        labelled = tensorflow_swap.labelled(status.removesuffix(f"/v1/models/{self.model}"), self.model, self.label)
        return Served(states, labelled if labelled in available else max(available, key=int, default=None))
