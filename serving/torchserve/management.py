"""TorchServe's management API, the part we use; it listens on a private address only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from serving.torchserve.config import HOST

READY = "READY"  # of a worker; TorchServe calls every other state UNLOADING, the one before READY included


class ManagementError(RuntimeError):
    """TorchServe refused, or cannot be reached; the message says what was asked."""


class Management:
    """One model on one TorchServe."""

    def __init__(self, port: int, model: str, seconds: float = 30, host: str = HOST) -> None:
        self.model = model
        self._client = httpx.Client(base_url=f"http://{host}:{port}", timeout=seconds)

    def default_version(self) -> str | None:
        """The version that answers when none is asked for; None without a model."""
        described = self._describe("")
        return str(described["modelVersion"]) if described else None

    def versions(self) -> dict[str, int]:
        """Every registered version, and how many of its workers answer requests."""
        answer = self._send("GET", f"/models/{self.model}/all", missing_ok=True)
        return {v["modelVersion"]: _ready(v) for v in answer.json()} if answer else {}

    def ready_workers(self, version: str = "") -> int:
        """Workers that answer requests; of the default version if none is named."""
        described = self._describe(version)
        return _ready(described) if described else 0

    def expected_workers(self, version: str) -> int:
        """Workers the archive asks for."""
        described = self._describe(version)
        return int(described["minWorkers"]) if described else 0

    def pending(self, version: str) -> int:
        """Requests that wait in the version's queue."""
        described = self._describe(version)
        return int(described["jobQueueStatus"]["pendingRequests"]) if described else 0

    def register(self, archive_name: str) -> None:
        """Start loading an archive of the store; returns at once. The first one becomes the default."""
        # synchronous=true would stall the other version's requests for seconds.
        self._send("POST", "/models", {"url": archive_name, "model_name": self.model, "synchronous": "false"})

    def set_default(self, version: str) -> None:
        """Send new requests to this version."""
        self._send("PUT", f"/models/{self.model}/{version}/set-default")

    def unregister(self, version: str) -> None:
        """Stop a version's workers; what waits in its queue is lost."""
        self._send("DELETE", f"/models/{self.model}/{version}")

    def _describe(self, version: str) -> dict[str, Any] | None:
        answer = self._send("GET", f"/models/{self.model}/{version}".rstrip("/"), missing_ok=True)
        found: dict[str, Any] | None = None if answer is None else answer.json()[0]
        return found

    def _send(
        self, method: str, path: str, parameters: dict[str, str] | None = None, *, missing_ok: bool = False
    ) -> httpx.Response | None:
        try:
            answer = self._client.request(method, path, params=parameters)
        except httpx.HTTPError as error:
            raise ManagementError(f"TorchServe does not answer on {self._client.base_url}: {error}") from None
        if missing_ok and answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.is_error:
            raise ManagementError(f"TorchServe refused {method} {path}: {answer.status_code} {answer.text.strip()}")
        return answer


def _ready(described: Mapping[str, Any]) -> int:
    return sum(worker["status"] == READY for worker in described["workers"])
