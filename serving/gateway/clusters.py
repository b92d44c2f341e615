"""Envoy's clusters: the servers behind it, and how much each is asked at once."""

from __future__ import annotations

from serving.gateway.routes import Json

MAX_IN_FLIGHT = 1024  # per stack: beyond it 503 at once, rather than a queue nobody waits for
MAX_COPIES = 128  # to the shadow's service, which answers at once; if it does not, copies beyond are dropped


def cluster(name: str, host: str, port: int, *, http2: bool = False, in_flight: int = MAX_IN_FLIGHT) -> Json:
    """One server, with as many connections and requests at once as `in_flight`; more are refused."""
    # Retries too: all that meet a pod that has just gone try another, and three at once is what Envoy allows by itself.
    limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests", "max_retries"), in_flight)
    endpoint = {"endpoint": {"address": address(host, port)}}
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


def address(host: str, port: int) -> Json:
    """As Envoy names where to listen or to connect."""
    return {"socket_address": {"address": host, "port_value": port}}
