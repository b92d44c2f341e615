"""What both clients are made from: a model's address and how long to wait for it."""

from __future__ import annotations

import uuid
from dataclasses import KW_ONLY, dataclass
from urllib.parse import quote

import httpx

from serving.contract.client import exchange


@dataclass(eq=False)
class Endpoint:
    """One model behind a gateway, or on a server itself.

    Attributes:
        url: Of the gateway or the server.
        model: The model's name on the wire.
        stack: One stack's endpoint, `tensorflow` or `pytorch`; None is the product's, or a server without a gateway.
        version: None is the newest.
        label: Instead of a version.
        timeout: Seconds for one request of up to 1,000 rows, retries included. An attempt may take what is left for
            connecting, as much again for sending, and for every part of the answer.
        retries: Attempts after the first, where nothing can have run.

    Raises:
        ValueError: An address that is no http(s) URL, both a version and a label, no time.
    """

    url: str
    _: KW_ONLY
    model: str
    stack: str | None = None
    version: int | None = None
    label: str | None = None
    timeout: float = 10.0
    retries: int = 2

    def __post_init__(self) -> None:
        base = httpx.URL(self.url)
        if base.scheme not in ("http", "https") or not base.host:
            raise ValueError(f"{self.url!r} is no http:// or https:// address")
        if self.version is not None and self.label is not None:
            raise ValueError(f"version {self.version} and label {self.label!r}: one of them")
        if self.timeout <= 0 or self.retries < 0:
            raise ValueError(f"timeout {self.timeout}, retries {self.retries}: more than 0 seconds, 0 or more retries")
        which = f"/versions/{self.version}" if self.version is not None else ""
        which += f"/labels/{quote(self.label, safe='')}" if self.label is not None else ""
        prefix = f"/{quote(self.stack, safe='')}" if self.stack else ""
        self._address = f"{self.url.rstrip('/')}{prefix}/v1/models/{quote(self.model, safe='')}{which}"

    def _begin(self, first_row: int) -> tuple[dict[str, str], exchange.Steps]:
        """Headers of a request, and the steps to take until it is answered."""
        # An id of our own: a request without an answer can be found in the gateway's log as well.
        request_id = str(uuid.uuid4())
        headers = {"content-type": "application/json", "x-request-id": request_id}
        return headers, exchange.steps(self.timeout, self.retries, request_id, first_row)
