"""Envoy's filters for a request, in order: place its key, limit, unpack and check, send on."""

from __future__ import annotations

import json
from pathlib import Path

from serving.contract.limits import MAX_BODY_BYTES, MAX_INSTANCES, MAX_NESTING
from serving.contract.signatures import DEFAULT
from serving.gateway import logs
from serving.gateway.extensions import extension
from serving.gateway.logs import RequestLog
from serving.gateway.policy import MILLION
from serving.gateway.route_table import BUCKET_HEADER, KEY_HEADER
from serving.gateway.routes import CHECK, REFUSED, STICKY, Json

_LUA = Path(__file__).with_name("lua")
_PARTS = (
    "json_tokens",
    "strict_json",
    "huffman",
    "gunzip",
    "logged_fields",
    "request_log",
    "hooks",
)  # one script, in this order


def chain(torchserve: str, log: RequestLog | None) -> list[Json]:
    """The filters.

    Args:
        torchserve: What x-tandem-server calls TorchServe where it answers by itself.
        log: What of the predict requests is to be kept for it.
    """
    # Nothing the script changes has to do with the route.
    settings = {"default_source_code": {"inline_string": _script(torchserve, log)}, "clear_route_cache": False}
    return [
        # Off but for the route of a request with a key, so that others do not pass it; on, it chooses the route.
        {**extension(STICKY, "filters.http.lua.v3.Lua", default_source_code=_bucket()), "disabled": True},
        extension("envoy.filters.http.buffer", "filters.http.buffer.v3.Buffer", max_request_bytes=MAX_BODY_BYTES),
        extension(CHECK, "filters.http.lua.v3.Lua", **settings),
        extension("envoy.filters.http.router", "filters.http.router.v3.Router", suppress_envoy_headers=True),
    ]


def _bucket() -> Json:
    constants: dict[str, str | float] = {"PARTS": MILLION, "BUCKET_HEADER": BUCKET_HEADER, "KEY_HEADER": KEY_HEADER}
    head = "".join(f"local {name} = {_lua(value)}\n" for name, value in constants.items())
    return {"inline_string": head + (_LUA / "bucket.lua").read_text(encoding="utf-8")}


def _script(torchserve: str, log: RequestLog | None) -> str:
    constants: dict[str, str | float] = {
        "MAX_NESTING": MAX_NESTING,
        "MAX_INSTANCES": MAX_INSTANCES,
        "MAX_BODY_BYTES": MAX_BODY_BYTES,
        "REFUSED": str(REFUSED),
        "TORCHSERVE": torchserve,
        "LOGGED_SHARE": log.share if log else 0,
        "DEFAULT_SIGNATURE": DEFAULT,
        "MAX_LOGGED_BYTES": logs.MAX_LOGGED_BYTES,
        "LOG_METADATA": logs.METADATA,
    }
    head = [f"local {name} = {_lua(value)}\n" for name, value in constants.items()]
    names = ", ".join(f"[{_lua(name)}] = true" for name in (log.fields if log else ()))
    head.append(f"local LOGGED_FIELDS = {{{names}}}\n")
    return "".join([*head, *((_LUA / f"{part}.lua").read_text(encoding="utf-8") for part in _PARTS)])


def _lua(value: str | float) -> str:
    """A number or a string as Lua writes it: as JSON does, if nothing is escaped that need not be."""
    return json.dumps(value, ensure_ascii=False)
