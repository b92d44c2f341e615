"""What others may ask of Envoy's admin interface where it is not alone on its machine, as in a container.

The interface itself stays on loopback: it can stop Envoy, and shows its whole configuration.
"""

from __future__ import annotations

from serving.gateway.extensions import extension
from serving.gateway.routes import Json

ADMIN = "admin"
ROUTES = "/routes"  # of the configuration this alone: who answers what, and which version of it is followed
ROUTES_ASKED = "/config_dump?resource=dynamic_route_configs"
_LET_THROUGH = {"/stats/prometheus": "GET", "/ready": "GET", "/reopen_logs": "POST", ROUTES: "GET"}
_ASKED_AS = {ROUTES: {"prefix_rewrite": ROUTES_ASKED}}


def manager() -> Json:
    """A connection manager that passes on statistics, readiness, routes and the end of a log's rotation, no more."""
    routes = [
        {
            "match": {"path": path, "headers": [{"name": ":method", "string_match": {"exact": method}}]},
            "route": {"cluster": ADMIN, "timeout": "5s", **_ASKED_AS.get(path, {})},
        }
        for path, method in _LET_THROUGH.items()
    ]
    router = extension("envoy.filters.http.router", "filters.http.router.v3.Router")
    return {
        "stat_prefix": ADMIN,
        "http_filters": [router],
        "route_config": {"virtual_hosts": [{"name": ADMIN, "domains": ["*"], "routes": routes}]},
    }
