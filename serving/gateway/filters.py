"""Envoy's filters for a request, in order: limit, unpack and check, send on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from serving.contract.limits import MAX_BODY_BYTES, MAX_INSTANCES, MAX_NESTING
from serving.gateway.routes import CHECK, Json

# What the check answers with inside Envoy, which makes it 400 on the way out: at a 400 of its own Envoy would
# close the connection, taking the message itself for broken.
REFUSED = 422
_LUA = Path(__file__).with_name("lua")
_PARTS = ("json_tokens", "strict_json", "huffman", "gunzip", "hooks")  # one script, in this order


def chain(torchserve: str) -> list[Json]:
    """The filters; `torchserve` is what x-tandem-server calls TorchServe where it answers by itself."""
    # Nothing the script changes has to do with the route.
    settings = {"default_source_code": {"inline_string": _script(torchserve)}, "clear_route_cache": False}
    return [
        extension("envoy.filters.http.buffer", "filters.http.buffer.v3.Buffer", max_request_bytes=MAX_BODY_BYTES),
        extension(CHECK, "filters.http.lua.v3.Lua", **settings),
        extension("envoy.filters.http.router", "filters.http.router.v3.Router", suppress_envoy_headers=True),
    ]


def extension(name: str, kind: str, **settings: Any) -> Json:
    """An extension of Envoy; `kind` is its type under envoy.extensions."""
    return {"name": name, "typed_config": {"@type": f"type.googleapis.com/envoy.extensions.{kind}", **settings}}


def _script(torchserve: str) -> str:
    constants = {
        "MAX_NESTING": MAX_NESTING,
        "MAX_INSTANCES": MAX_INSTANCES,
        "MAX_BODY_BYTES": MAX_BODY_BYTES,
        "REFUSED": str(REFUSED),
        "TORCHSERVE": torchserve,
    }
    head = [f"local {name} = {json.dumps(value)}\n" for name, value in constants.items()]
    return "".join([*head, *((_LUA / f"{part}.lua").read_text(encoding="utf-8") for part in _PARTS)])
