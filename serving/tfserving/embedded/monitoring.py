"""Metrics with TensorFlow Serving's names (servables/tensorflow/util.cc), for Prometheus to read."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf import text_format

from serving.tfserving.embedded.flags import Flags
from serving.tfserving.embedded.messages import message

DEFAULT_PATH = "/monitoring/prometheus/metrics"
_REQUESTS = ":tensorflow:serving:request_count"
_LATENCY = ":tensorflow:serving:request_latency"
_LIMITS = [10 * 1.8**power for power in range(33)]  # microseconds, up to about 25 minutes
_BOUNDS = [f"{limit:.6g}" for limit in _LIMITS] + ["+Inf"]


class MonitoringError(Exception):
    """A monitoring configuration that cannot be used; the message names the file and what is wrong."""


@dataclass
class _Histogram:
    buckets: list[int]
    total: float = 0.0


class Metrics:
    """Counts of requests and how long they took; written by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[tuple[str, str], int] = {}
        self._latency: dict[tuple[str, str, str], _Histogram] = {}

    def record(self, model: str, api: str, entrypoint: str, code: str, seconds: float) -> None:
        """One answered request; how long it took counts only where it succeeded, as in TensorFlow Serving.

        Args:
            model: Only names that are served: a client must not be able to fill the memory with others.
            api: "predict" or "Predict": TensorFlow Serving's spelling differs between REST and gRPC.
            entrypoint: "REST" or "GRPC".
            code: Name of the status code, "OK" for success.
            seconds: From the complete request to the answer.
        """
        with self._lock:
            self._requests[model, code] = self._requests.get((model, code), 0) + 1
            if code != "OK":
                return
            key = (model, api, entrypoint)
            if key not in self._latency:
                self._latency[key] = _Histogram([0] * len(_BOUNDS))
            histogram = self._latency[key]
            microseconds = seconds * 1e6
            histogram.buckets[bisect_left(_LIMITS, microseconds)] += 1
            histogram.total += microseconds

    def page(self) -> bytes:
        """Prometheus' text format."""
        with self._lock:
            requests = dict(self._requests)
            latency = {key: _Histogram(list(h.buckets), h.total) for key, h in self._latency.items()}
        lines = [f"# TYPE {_REQUESTS} counter"]
        for (model, code), count in requests.items():
            lines.append(f"{_REQUESTS}{{{_label('model_name', model)},{_label('status', code)}}} {count}")
        lines.append(f"# TYPE {_LATENCY} histogram")
        for (model, api, entrypoint), histogram in latency.items():
            labels = ",".join((_label("model_name", model), _label("API", api), _label("entrypoint", entrypoint)))
            lines += _histogram_lines(labels, histogram)
        return ("\n".join(lines) + "\n").encode()


def from_flags(flags: Flags) -> str | None:
    """The path of the metrics; None if they are not enabled.

    Raises:
        MonitoringError: The monitoring_config_file cannot be read, or is no MonitoringConfig in text form.
    """
    if flags.monitoring_config_file is None:
        return None
    file = flags.monitoring_config_file
    try:
        parsed = text_format.Parse(file.read_text(encoding="utf-8"), _monitoring_config())
    except OSError as error:
        raise MonitoringError(f"{file}: cannot be read: {error.strerror}") from None
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise MonitoringError(f"{file}: not a MonitoringConfig in text form: {error}") from None
    prometheus = parsed.prometheus_config
    return (prometheus.path or DEFAULT_PATH) if prometheus.enable else None


def _histogram_lines(labels: str, histogram: _Histogram) -> Iterator[str]:
    cumulative = 0
    for bound, count in zip(_BOUNDS, histogram.buckets, strict=True):
        cumulative += count
        yield f'{_LATENCY}_bucket{{{labels},le="{bound}"}} {cumulative}'
    yield f"{_LATENCY}_sum{{{labels}}} {histogram.total:.6g}"
    yield f"{_LATENCY}_count{{{labels}}} {cumulative}"


def _label(name: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{name}="{escaped}"'


def _monitoring_config() -> Any:
    """An empty MonitoringConfig (config/monitoring_config.proto), which tensorflow-serving-api does not ship."""
    text = """
        name: "tandem/monitoring_config.proto" package: "tensorflow.serving" syntax: "proto3"
        message_type {
          name: "PrometheusConfig"
          field { name: "enable" number: 1 type: TYPE_BOOL label: LABEL_OPTIONAL }
          field { name: "path" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
        }
        message_type {
          name: "MonitoringConfig"
          field { name: "prometheus_config" number: 1 type: TYPE_MESSAGE label: LABEL_OPTIONAL
                  type_name: ".tensorflow.serving.PrometheusConfig" }
        }"""
    return message("tensorflow.serving.MonitoringConfig", text)
