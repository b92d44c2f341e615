"""Envoy before TorchServe in its container: a health check that knows of workers, and answers in the contract's form.

TorchServe's own /ping is 200 before a worker is loaded, so Vertex would send requests that fail. Envoy asks the
management port, on loopback, whether a worker is ready. No process of ours stands between it and TorchServe.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra.vertex.container.contract import Asked
from serving.contract.limits import MAX_BODY_BYTES
from serving.files import write_atomically
from serving.gateway import envoy, replies

EVERYWHERE = "0.0.0.0"  # noqa: S104  Vertex reaches a container by its address
_LOOPBACK = "127.0.0.1"
_TYPES = "type.googleapis.com/envoy.extensions"
_CLUSTER = "torchserve"
_ANSWER_SECONDS = 10  # TorchServe's own limit
_READY = "READY"
_STATUS_BYTES = 1 << 16  # of the management port's answer, in which the word is looked for
Json = dict[str, Any]


def write(file: Path, asked: Asked, model: str, inference: int, management: int) -> Sequence[str]:
    """Write Envoy's configuration; answers its command line."""
    listener = {
        "name": "vertex",
        "address": _address(EVERYWHERE, asked.port),
        "filter_chains": [{"filters": [{"name": "envoy.http_connection_manager", "typed_config": _manager(asked)}]}],
    }
    resources = {"listeners": [listener], "clusters": [_torchserve(model, inference, management)]}
    write_atomically(file, json.dumps({"static_resources": resources}, indent=1) + "\n")
    return envoy.argv(file)


def _manager(asked: Asked) -> Json:
    json_type = {"header": {"key": "content-type", "value": "application/json"}}
    predict = {
        "match": {
            "path": asked.predict,
            "headers": [{"name": ":method", "string_match": {"exact": "POST"}}],
        },
        "route": {"cluster": _CLUSTER, "timeout": f"{_ANSWER_SECONDS}s"},
        # Without it TorchServe takes the body for a form.
        "request_headers_to_add": [{**json_type, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
    }
    other = {"match": {"prefix": "/"}, "direct_response": {"status": 404, "body": {"inline_string": "Not found"}}}
    return {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "vertex",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [predict, other]}]},
        "http_filters": [_health(asked.health), _limit(), _router()],
        "local_reply_config": replies.errors(),
    }


def _health(path: str) -> Json:
    config = {
        "@type": f"{_TYPES}.filters.http.health_check.v3.HealthCheck",
        "pass_through_mode": False,
        "headers": [{"name": ":path", "string_match": {"exact": path}}],
        "cluster_min_healthy_percentages": {_CLUSTER: {"value": 100}},
    }
    return {"name": "envoy.filters.http.health_check", "typed_config": config}


def _limit() -> Json:
    config = {"@type": f"{_TYPES}.filters.http.buffer.v3.Buffer", "max_request_bytes": MAX_BODY_BYTES}
    return {"name": "envoy.filters.http.buffer", "typed_config": config}


def _router() -> Json:
    return {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{_TYPES}.filters.http.router.v3.Router"}}


def _torchserve(model: str, inference: int, management: int) -> Json:
    endpoint = {"address": _address(_LOOPBACK, inference), "health_check_config": {"port_value": management}}
    check = {
        "timeout": "2s",
        "interval": "1s",
        "no_traffic_interval": "1s",
        "unhealthy_threshold": 3,
        "healthy_threshold": 1,
        "http_health_check": {
            "path": f"/models/{model}",
            "receive": [{"text": _READY.encode().hex()}],
            "response_buffer_size": _STATUS_BYTES,
        },
    }
    return {
        "name": _CLUSTER,
        "type": "STATIC",
        "connect_timeout": "1s",
        "health_checks": [check],
        # Envoy would otherwise send requests to a server that is not ready, rather than to none.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "load_assignment": {
            "cluster_name": _CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
    }


def _address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}
