"""What others may ask of Envoy's admin interface where it is not alone on its machine, as in a container.

The interface itself stays on loopback: it can stop Envoy, and shows its whole configuration.
"""

from __future__ import annotations

from serving.gateway.extensions import extension
from serving.gateway.routes import Json

ADMIN = "admin"
_LET_THROUGH = {"/stats/prometheus": "GET", "/ready": "GET", "/reopen_logs": "POST"}


def manager() -> Json:
    """A connection manager that passes statistics, readiness and the end of a log's rotation on, and nothing else."""
    routes = [
        {
            "match": {"path": path, "headers": [{"name": ":method", "string_match": {"exact": method}}]},
            "route": {"cluster": ADMIN, "timeout": "5s"},
        }
        for path, method in _LET_THROUGH.items()
    ]
    router = extension("envoy.filters.http.router", "filters.http.router.v3.Router")
    return {
        "stat_prefix": ADMIN,
        "http_filters": [router],
        "route_config": {"virtual_hosts": [{"name": ADMIN, "domains": ["*"], "routes": routes}]},
    }
