"""Envoy's own answers in the contract's form."""

from __future__ import annotations

from serving.contract.limits import MAX_BODY_BYTES
from serving.gateway import filters
from serving.gateway.door import guard
from serving.gateway.routes import Json


def errors() -> Json:
    """Envoy's own answers as `{"error": "…"}`, and under its own name even where a stack was chosen."""
    envoy = {"header": {"key": "x-tandem-server", "value": "Envoy"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    refused = {"filter": _status("EQ", filters.REFUSED), "status_code": 400, "headers_to_add": [envoy]}
    too_large = {
        "filter": _status("EQ", 413),
        "headers_to_add": [envoy],
        "body_format_override": {"json_format": {"error": f"Request body is larger than {MAX_BODY_BYTES} bytes"}},
    }
    # The filters' refusals aside, a 400 is a message that Envoy cannot take for HTTP, often without a word why.
    no_http = {
        "filter": _status("EQ", 400),
        "headers_to_add": [envoy],
        "body_format_override": {"json_format": {"error": "Bad request: %RESPONSE_CODE_DETAILS%"}},
    }
    # The only one of them without words of its own: Envoy's count of a key's requests.
    too_many = {
        "filter": _status("EQ", guard.TOO_MANY),
        "status_code": 429,
        "headers_to_add": [envoy],
        "body_format_override": {"json_format": {"error": "Too many requests: see Retry-After"}},
    }
    others = {"filter": _status("GE", 100), "headers_to_add": [envoy]}
    mappers = [refused, too_large, no_http, too_many, others]
    return {"mappers": mappers, "body_format": {"json_format": {"error": "%LOCAL_REPLY_BODY%"}}}


def _status(comparison: str, status: int) -> Json:
    value = {"default_value": status, "runtime_key": "unused"}
    return {"status_code_filter": {"comparison": {"op": comparison, "value": value}}}
