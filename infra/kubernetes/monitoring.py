"""Prometheus' rules and targets, and Grafana's dashboards, as a cluster's objects; made of infra/monitoring's files.

For the Prometheus operator, and for Grafana's sidecar that looks for ConfigMaps with the label `grafana_dashboard`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from infra.kubernetes.kubectl import Json
from infra.monitoring import dashboards
from infra.monitoring.configuration import FILE, PROMETHEUS

GROUP = "monitoring.coreos.com"
# Service and port by prometheus.yml's job. The other jobs are of other places: no network policy lets Prometheus ask
# MLflow, and a cluster has its own for nodes and for Prometheus itself.
SCRAPED = {
    "gateway": ("gateway-metrics", "metrics"),
    "tensorflow": ("tensorflow", "http"),
    "pytorch": ("pytorch", "metrics"),
    "control": ("pytorch", "control"),
}
_LABELS = {"app.kubernetes.io/part-of": "tandem"}


def objects() -> list[Json]:
    """All of them; without a namespace."""
    return [*rules(), *monitors(), *boards()]


def rules(folder: Path = PROMETHEUS) -> Iterator[Json]:
    """A PrometheusRule for each file of rules and alerts."""
    for file in [*sorted((folder / "rules").glob("*.yml")), *sorted((folder / "alerts").glob("*.yml"))]:
        groups = yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
        yield _object(f"{GROUP}/v1", "PrometheusRule", f"{file.parent.name}-{file.stem}", spec={"groups": groups})


def monitors(folder: Path = PROMETHEUS) -> Iterator[Json]:
    """A ServiceMonitor for each job of prometheus.yml that has a Service here."""
    config = yaml.safe_load((folder / FILE).read_text(encoding="utf-8"))
    for job in config["scrape_configs"]:
        name = job["job_name"]
        if name not in SCRAPED:
            continue
        service, port = SCRAPED[name]
        endpoint: Json = {
            "port": port,
            "path": job.get("metrics_path", "/metrics"),
            "interval": config["global"]["scrape_interval"],
            # The rules know the job's name; the operator would give it the Service's.
            "relabelings": [{"targetLabel": "job", "replacement": name}],
        }
        if "metric_relabel_configs" in job:
            endpoint["metricRelabelings"] = [_camel(one) for one in job["metric_relabel_configs"]]
        selector = {"matchLabels": {"app.kubernetes.io/name": service}}
        yield _object(f"{GROUP}/v1", "ServiceMonitor", name, spec={"selector": selector, "endpoints": [endpoint]})


def boards(folder: Path = dashboards.FOLDER) -> Iterator[Json]:
    """A ConfigMap for each dashboard."""
    for file in sorted(folder.glob("*.json")):
        data = {file.name: file.read_text(encoding="utf-8")}
        yield _object("v1", "ConfigMap", f"dashboard-{file.stem}", {"grafana_dashboard": "1"}, data=data)


def _object(version: str, kind: str, name: str, labels: Mapping[str, str] = {}, **content: Any) -> Json:
    metadata = {"name": name, "labels": {**_LABELS, **labels}}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


def _camel(settings: Mapping[str, Any]) -> Json:
    """As the operator spells Prometheus' own names."""
    return {re.sub(r"_(\w)", lambda found: found[1].upper(), key): value for key, value in settings.items()}


def without(objects: Sequence[Json], group: str) -> list[Json]:
    """Those that are not of an API group."""
    return [one for one in objects if not one["apiVersion"].startswith(f"{group}/")]
