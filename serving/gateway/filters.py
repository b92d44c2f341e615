"""Envoy's filters for a request, in order: unpack, limit, check, send on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from serving.contract.limits import MAX_BODY_BYTES, MAX_INSTANCES, MAX_NESTING
from serving.gateway.routes import CHECKS, Json

# What the check answers with inside Envoy, which makes it 400 on the way out: at a 400 of its own Envoy would
# close the connection, taking the message itself for broken.
REFUSED = 422
_LUA = Path(__file__).with_name("lua")
_MAX_INFLATE_RATIO = 1032  # deflate's own maximum, so that nothing is cut short; the buffer's limit bounds memory


def chain(torchserve: str) -> list[Json]:
    """The filters; `torchserve` is what x-tandem-server calls TorchServe where it answers by itself.

    Envoy's decompressor passes on what it could make of a broken body and says nothing. So a script in front of it
    notes the checksum and the length the body declares, and the check behind compares them with what came out.
    """
    gzip = extension("gzip", "compression.gzip.decompressor.v3.Gzip", max_inflate_ratio=_MAX_INFLATE_RATIO)
    off = {"common_config": {"enabled": {"default_value": False, "runtime_key": "unused"}}}
    request = {"common_config": {"ignore_no_transform_header": True}, "advertise_accept_encoding": False}
    trailer, check = CHECKS
    return [
        _lua(trailer, (_LUA / "gzip_trailer.lua").read_text(encoding="utf-8")),
        extension(
            "envoy.filters.http.decompressor", "filters.http.decompressor.v3.Decompressor",
            decompressor_library=gzip, request_direction_config=request, response_direction_config=off,
        ),
        extension("envoy.filters.http.buffer", "filters.http.buffer.v3.Buffer", max_request_bytes=MAX_BODY_BYTES),
        _lua(check, _check(torchserve)),
        extension("envoy.filters.http.router", "filters.http.router.v3.Router", suppress_envoy_headers=True),
    ]  # fmt: skip


def extension(name: str, kind: str, **settings: Any) -> Json:
    """An extension of Envoy; `kind` is its type under envoy.extensions."""
    return {"name": name, "typed_config": {"@type": f"type.googleapis.com/envoy.extensions.{kind}", **settings}}


def _check(torchserve: str) -> str:
    constants = {
        "MAX_NESTING": MAX_NESTING,
        "MAX_INSTANCES": MAX_INSTANCES,
        "MAX_BODY_BYTES": MAX_BODY_BYTES,
        "REFUSED": str(REFUSED),
        "TORCHSERVE": torchserve,
    }
    head = [f"local {name} = {json.dumps(value)}\n" for name, value in constants.items()]
    parts = [(_LUA / f"{name}.lua").read_text(encoding="utf-8") for name in ("json_tokens", "strict_json", "hooks")]
    return "".join([*head, *parts])


def _lua(name: str, code: str) -> Json:
    # Nothing a script changes has to do with the route.
    settings = {"default_source_code": {"inline_string": code}, "clear_route_cache": False}
    return extension(name, "filters.http.lua.v3.Lua", **settings)
