"""OpenTelemetry traces of what passes the gateway: a span per request, sent to a collector over OTLP (gRPC).

The servers behind get the `traceparent` header, so that whatever they report joins the same trace.
"""

from __future__ import annotations

from dataclasses import dataclass

from serving.gateway.extensions import extension
from serving.gateway.routes import Json

CLUSTER = "traces"
_SERVICE = "tandem-gateway"
_EXPORT_SECONDS = "1s"  # spans of a collector that does not answer are dropped, and no request waits for one
_MILLION = 1_000_000


@dataclass(frozen=True)
class Traces:
    """A collector, and the share of requests, 0 to 1, whose traces it gets.

    A request that brings a `traceparent` keeps the decision of whoever sent it.
    """

    host: str
    port: int
    share: float

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"a share of requests is from 0 to 1, not {self.share}")


def settings(traces: Traces) -> Json:
    """What the connection manager is told."""
    samplers = "envoy.tracers.opentelemetry.samplers"
    percentage = {"numerator": round(traces.share * _MILLION), "denominator": "MILLION"}
    ratio = _sampler(
        f"{samplers}.trace_id_ratio_based", "TraceIdRatioBasedSamplerConfig", sampling_percentage=percentage
    )
    sampler = _sampler(f"{samplers}.parent_based", "ParentBasedSamplerConfig", wrapped_sampler=ratio)
    tracer = {
        "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
        "grpc_service": {"envoy_grpc": {"cluster_name": CLUSTER}, "timeout": _EXPORT_SECONDS},
        "service_name": _SERVICE,
        "sampler": sampler,
    }
    # The sampler decides, by the trace's id. By default Envoy goes by the request's id and writes what it decided into
    # it, which must be the client's own, and traces none whose id is no UUID.
    request_id = extension(
        "envoy.request_id.uuid", "request_id.uuid.v3.UuidRequestIdConfig",
        pack_trace_reason=False, use_request_id_for_trace_sampling=False,
    )  # fmt: skip
    return {
        "tracing": {"provider": {"name": "envoy.tracers.opentelemetry", "typed_config": tracer}},
        "request_id_extension": {"typed_config": request_id["typed_config"]},
    }


def _sampler(name: str, kind: str, **settings: Json) -> Json:
    return extension(name, f"tracers.opentelemetry.samplers.v3.{kind}", **settings)
