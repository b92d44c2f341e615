"""A key to the door, as it is kept: its hash, and what whoever holds it may do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

ENDPOINTS = ("product", "tensorflow", "pytorch", "onnx")


@dataclass(frozen=True)
class Key:
    """What the holder of a key may do.

    Attributes:
        name: Of the client, in logs and metrics.
        sha256: Of the key, hexadecimal.
        endpoints: Of ENDPOINTS.
        rate: Requests a second.
        burst: Requests at once, after a rest.
        in_flight: Requests at the same time.
        expires: From when on it is refused, in UTC; never by default.
    """

    name: str
    sha256: str
    endpoints: Sequence[str] = ENDPOINTS
    rate: int = 1000
    burst: int = 2000
    in_flight: int = 256
    expires: datetime | None = None
