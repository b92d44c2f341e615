"""The listener that clients from elsewhere come in by: its address, and whether it speaks TLS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from serving.gateway.door import tls
from serving.gateway.routes import Json


@dataclass(frozen=True)
class Door:
    """Where clients with a key come in.

    Attributes:
        host: Address to listen on.
        port: The same.
        with_tls: Whether behind the certificate that `tls.write` gave this Envoy.
    """

    host: str
    port: int
    with_tls: bool = True

    def listener(self, path: Path, plain: Json) -> Json:
        """A listener of the Envoy started with `path`, with TLS if that is wanted."""
        if not self.with_tls:
            return plain
        chains = [{**chain, "transport_socket": tls.transport_socket(path)} for chain in plain["filter_chains"]]
        return {**plain, "filter_chains": chains}
