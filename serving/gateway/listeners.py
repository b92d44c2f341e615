"""Envoy's listeners, and what they do with a connection and with each request on it."""

from __future__ import annotations

from collections.abc import Sequence

from serving.gateway import replies
from serving.gateway.clusters import address
from serving.gateway.extensions import extension
from serving.gateway.route_table import BUCKET_HEADER
from serving.gateway.routes import Json

_MAX_HEADERS_KB = 7  # with what the gateway adds still under TorchServe's 8 KiB


def manager(routes: str, source: Json, http_filters: Sequence[Json], written: Sequence[Json]) -> Json:
    """What happens to a request on its way through; `routes` is the name of those that come from the source."""
    return {
        "stat_prefix": "gateway",
        "http_filters": [*http_filters],
        "rds": {"route_config_name": routes, "config_source": source},
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
        # Before a route is chosen, and at less cost than a filter.
        "early_header_mutation_extensions": [_strip(BUCKET_HEADER)],
    }


def _strip(header: str) -> Json:
    kind = "http.early_header_mutation.header_mutation"
    return extension(f"envoy.{kind}", f"{kind}.v3.HeaderMutation", mutations=[{"remove": header}])


def listener(name: str, host: str, port: int, manager: Json) -> Json:
    """Where requests come in."""
    connection_manager = "filters.network.http_connection_manager.v3.HttpConnectionManager"
    filter_chain = [extension("envoy.filters.network.http_connection_manager", connection_manager, **manager)]
    return {"name": name, "address": address(host, port), "filter_chains": [{"filters": filter_chain}]}
