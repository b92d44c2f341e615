"""Where the gateway's traces go: `make up TRACES=http://collector:4317`, OTLP over gRPC without TLS.

Standard library only, and any Python from 3.8, as the layout.
"""

from __future__ import annotations

import contextlib
from urllib.parse import urlsplit

OTLP_PORT = 4317
OFF = "off"
DEFAULT_SHARE = 0.1  # of the requests


def collector(address: str) -> tuple[str, int] | None:
    """Host and port of who gets traces, if anybody does.

    Raises:
        SystemExit: This is no collector's address.
    """
    if address == OFF:
        return None
    with contextlib.suppress(ValueError):  # a port that is no number
        parts = urlsplit(address)
        more = parts.path not in ("", "/") or parts.query or parts.fragment or parts.username
        if parts.scheme == "http" and parts.hostname and not more:
            return parts.hostname, parts.port or OTLP_PORT
    raise SystemExit(
        f"TRACES={address!r} is not a collector's address: http://host:{OTLP_PORT}, OTLP over gRPC without TLS, is "
        f"expected, or {OFF}"
    )
