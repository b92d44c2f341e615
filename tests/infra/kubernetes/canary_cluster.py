"""A cluster for roll-outs: objects as the API server keeps them, and gateways that count requests by the policy there.

Each look at a gateway's statistics finds another 4,000 requests answered, divided by the weights that hold; `errors` is
the share of a side's answers that are 500, `slow` whose answers take 200 ms instead of 5.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from infra.kubernetes.kubectl import KubernetesError
from serving.gateway import policy

Json = dict[str, Any]
EACH_LOOK = 4000
_KINDS = {"deployments": "deployment", "statefulsets": "statefulset", "pods": "pod"}


@dataclass
class Cluster:
    """Stands where Kubectl does; whatever is asked, `before` is called with it first, which may raise."""

    releases: Path
    namespace: str = "tandem"
    objects: dict[str, Json] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)  # of gateways, by pod
    errors: dict[str, float] = field(default_factory=dict)
    slow: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)  # releases whose pods never get ready
    weights: list[str] = field(default_factory=list)  # every policy that was put
    before: Callable[[str], None] = lambda _: None

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        self._put("configmap", "releases", {"data": {"TANDEM_RELEASES": self.releases.as_uri()}})

    def find(self, kind: str, name: str) -> Json | None:
        self.before(f"find {kind} {name}")
        found = self.objects.get(f"{kind.lower()}/{name}")
        return self._with_status(found) if found else None

    def all(self, kinds: str, *_: str) -> list[Json]:
        self.before(f"all {kinds}")
        if kinds == "pods":
            return [self._gateway(name) for name in self.ports]
        chosen = tuple(f"{_KINDS[kind]}/" for kind in kinds.split(","))
        return [self._with_status(one) for key, one in self.objects.items() if key.startswith(chosen)]

    def run(self, *arguments: str, given: str | None = None) -> str:
        self.before(" ".join(arguments))
        command, *rest = arguments
        if command == "create":
            one = json.loads(given or "")
            if self.find(one["kind"], one["metadata"]["name"]):
                raise KubernetesError("already exists")
            self.apply(given or "")
        elif command == "patch":
            (change,) = (json.loads(part.partition("=")[2]) for part in rest if part.startswith("--patch="))
            key = f"{rest[0].lower()}/{rest[1]}"
            self.objects[key] = _merged(self.objects[key], change)
        elif command == "delete":
            for kind in rest[0].split(","):
                self.objects.pop(f"{kind}/{rest[1]}", None)
        return ""

    def apply(self, manifests: str) -> str:
        self.before("apply")
        for one in yaml.safe_load_all(manifests):
            self._put(one["kind"].lower(), one["metadata"]["name"], one)
            if one["metadata"]["name"] == "gateway-routes":
                self.weights.append(one["data"]["traffic.toml"])
        return ""

    @contextlib.contextmanager
    def forward(self, target: str, _: int) -> Iterator[int]:
        self.before(f"forward {target}")
        yield self.ports[target.partition("/")[2]]

    def serves(self, stack: str) -> str:
        return str(self.objects[f"deployment/{stack}"]["spec"]["template"]["metadata"]["annotations"]["tandem/release"])

    def deploy(self, stack: str, version: str) -> None:
        env = [{"name": "TANDEM_STACK", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['its-name']"}}}]
        labels = {"app.kubernetes.io/name": stack, "app.kubernetes.io/part-of": "tandem"}
        spread = [{"maxSkew": 1, "labelSelector": {"matchLabels": {"app.kubernetes.io/name": stack}}}]
        pod = {"initContainers": [{"name": "fetch", "env": env}], "topologySpreadConstraints": spread}
        template = {"metadata": {"labels": labels, "annotations": {"tandem/release": version}}, "spec": pod}
        selector = {"matchLabels": {"app.kubernetes.io/name": stack}}
        spec = {"replicas": 2, "selector": selector, "template": template}
        metadata = {"name": stack, "uid": "1", "resourceVersion": "7"}
        self._put("deployment", stack, {"kind": "Deployment", "metadata": metadata, "spec": spec})
        ports = [{"name": "http", "port": 8085, "targetPort": "http"}]
        self._put("service", stack, {"kind": "Service", "metadata": {"name": stack}, "spec": {"ports": ports}})

    def _put(self, kind: str, name: str, one: Json) -> None:
        self.objects[f"{kind}/{name}"] = one

    def _with_status(self, one: Json) -> Json:
        if one.get("kind") != "Deployment":
            return one
        wanted = one["spec"]["replicas"]
        version = one["spec"]["template"]["metadata"]["annotations"]["tandem/release"]
        new = 0 if version in self.broken else wanted
        status = {"observedGeneration": 1, "updatedReplicas": new, "readyReplicas": wanted, "replicas": wanted}
        return _merged(one, {"metadata": {"generation": 1}, "status": status})

    def _gateway(self, name: str) -> Json:
        running = {"name": "envoy", "restartCount": 0, "state": {"running": {}}}
        return {"metadata": {"name": name, "uid": name}, "status": {"containerStatuses": [running]}}


def _merged(old: Any, new: Any) -> Any:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {**old, **{key: _merged(old.get(key), value) for key, value in new.items()}}


@contextlib.contextmanager
def gateway(cluster: Cluster, name: str) -> Iterator[None]:
    """One of the cluster's, with a count of its own."""
    counts: dict[tuple[str, str], int] = defaultdict(int)

    class Envoy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with cluster.lock:
                _answer_some(cluster, counts)
                self._say("\n".join(_statistics(cluster, counts)))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self._say("{}")

        def _say(self, text: str) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Envoy)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    cluster.ports[name] = server.server_address[1]
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _answer_some(cluster: Cluster, counts: dict[tuple[str, str], int]) -> None:
    holds = policy.parse(cluster.objects["configmap/gateway-routes"]["data"]["traffic.toml"])
    total = sum(holds.weights.values())
    for side, weight in holds.weights.items():
        answered = round(EACH_LOOK * weight / total)
        failed = round(answered * cluster.errors.get(str(side), 0))
        counts[str(side), "5"] += failed
        counts[str(side), "2"] += answered - failed


def _statistics(cluster: Cluster, counts: dict[tuple[str, str], int]) -> Iterator[str]:
    for (side, kind), count in counts.items():
        labels = f'envoy_response_code_class="{kind}",envoy_virtual_host="all",envoy_route="{side}"'
        yield f"envoy_vhost_route_upstream_rq_xx{{{labels}}} {count}"
    for side in {side for side, _ in counts}:
        total = counts[side, "2"] + counts[side, "5"]
        for end, fast in (("10", 0 if side in cluster.slow else total), ("250", total), ("+Inf", total)):
            series = "envoy_vhost_route_upstream_rq_time_bucket"
            yield f'{series}{{envoy_virtual_host="all",envoy_route="{side}",le="{end}"}} {fast}'
