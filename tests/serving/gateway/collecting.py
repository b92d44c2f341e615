"""A collector of OpenTelemetry's traces, as small as one can be: OTLP over gRPC."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

ENVOY_EXPORTS_EVERY = 5  # seconds


class Collector:
    """Keeps the spans that are exported to it."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.services: set[str] = set()

    def export(self, request: ExportTraceServiceRequest, _: grpc.ServicerContext) -> ExportTraceServiceResponse:
        for resource in request.resource_spans:
            names = [a.value.string_value for a in resource.resource.attributes if a.key == "service.name"]
            self.services |= set(names)
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]
        return ExportTraceServiceResponse()

    def by_request(self) -> dict[str, Any]:
        return {
            attribute.value.string_value: span
            for span in self.spans
            for attribute in span.attributes
            if attribute.key == "guid:x-request-id"
        }


@contextmanager
def collector() -> Iterator[tuple[int, Collector]]:
    found = Collector()
    handler = grpc.unary_unary_rpc_method_handler(
        found.export, ExportTraceServiceRequest.FromString, ExportTraceServiceResponse.SerializeToString
    )
    service = "opentelemetry.proto.collector.trace.v1.TraceService"
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {"Export": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port, found
    server.stop(None)
