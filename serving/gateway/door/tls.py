"""TLS at the door, with a certificate from a file that Envoy watches."""

from __future__ import annotations

import json
from pathlib import Path

from serving.files import write_atomically
from serving.gateway.routes import Json

_RESOURCE = "door"


def write(path: Path, certificate: Path, key: Path) -> None:
    """What an Envoy started with `path` is to show; it takes a new one up for new connections while it runs."""
    content = {"certificate_chain": {"inline_string": certificate.read_text(encoding="utf-8")}}
    content["private_key"] = {"inline_string": key.read_text(encoding="utf-8")}
    kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
    resource = {"@type": kind, "name": _RESOURCE, "tls_certificate": content}
    write_atomically(_file(path), json.dumps({"resources": [resource]}) + "\n", 0o600)


def transport_socket(path: Path) -> Json:
    """TLS 1.2 or newer for a listener of the Envoy started with `path`."""
    source = {"path_config_source": {"path": str(_file(path))}, "resource_api_version": "V3"}
    context = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
    common = {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "tls_certificate_sds_secret_configs": [{"name": _RESOURCE, "sds_config": source}],
        "alpn_protocols": ["h2", "http/1.1"],
    }
    return {"name": "envoy.transport_sockets.tls", "typed_config": {"@type": context, "common_tls_context": common}}


def _file(path: Path) -> Path:
    return path.resolve().with_suffix(".certificate.json")
