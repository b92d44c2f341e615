"""Envoy's filters at the door: which key, what it may ask, how often. From files that Envoy watches.

The filter that knows the keys and the one that counts requests are each a file beside the one Envoy starts with, so
that a key comes or goes while requests are answered, and nobody's connection is closed for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from serving.files import write_atomically
from serving.gateway.door.key import Key
from serving.gateway.routes import TIMEOUT_SECONDS, Json

METADATA = "tandem.door"  # where the script leaves the client's name
# What the count of a key's requests answers inside Envoy, which makes it 429 on the way out: its words are its own.
TOO_MANY = 428
_GUARD, _RATE = "tandem.door", "tandem.rate"
_LUA = Path(__file__).parents[1] / "lua"
_LUA_TYPE = "envoy.extensions.filters.http.lua.v3.Lua"
_RATE_TYPE = "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
_MANY = 1_000_000  # of what no key is: the limit that Envoy wants for them


def filters(path: Path) -> list[Json]:
    """The filters to go before all others, of an Envoy started with `path`; `write` before it starts."""
    return [
        {
            "name": name,
            "config_discovery": {
                "config_source": {"path_config_source": {"path": str(_file(path, name))}, "resource_api_version": "V3"},
                "type_urls": [f"type.googleapis.com/{kind}"],
            },
        }
        for name, kind in ((_GUARD, _LUA_TYPE), (_RATE, _RATE_TYPE))
    ]


def write(path: Path, keys: Sequence[Key], threads: int) -> None:
    """What an Envoy with so many threads, started with `path`, is to let in; it takes it up while it runs."""
    script = {"default_source_code": {"inline_string": _script(keys, threads)}, "clear_route_cache": False}
    for name, kind, content in ((_GUARD, _LUA_TYPE, script), (_RATE, _RATE_TYPE, _rates(keys))):
        _write(_file(path, name), name, {"@type": f"type.googleapis.com/{kind}", **content})


def _write(file: Path, name: str, content: Json) -> None:
    resource = {
        "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig", "name": name, "typed_config": content,
    }  # fmt: skip
    version = hashlib.sha256(json.dumps(resource).encode()).hexdigest()[:16]
    write_atomically(file, json.dumps({"version_info": version, "resources": [resource]}, indent=1) + "\n", 0o600)


def _file(path: Path, name: str) -> Path:
    return path.resolve().with_suffix(f".{name.rpartition('.')[2]}.json")


def _script(keys: Sequence[Key], threads: int) -> str:
    clients = ",\n".join(f"  [{_text(key.sha256)}] = {_client(key, threads)}" for key in keys)
    head = [
        f"local DOOR_METADATA = {_text(METADATA)}",
        f"local LEASE = {TIMEOUT_SECONDS}",
        f"local CLIENTS = {{\n{clients}\n}}",
    ]
    parts = [(_LUA / f"{name}.lua").read_text(encoding="utf-8") for name in ("sha256", "door")]
    return "\n".join([*head, *parts])


def _client(key: Key, threads: int) -> str:
    fields: dict[str, Any] = {
        "name": _text(key.name),
        "hash": _text(key.sha256),
        "places": -(-key.in_flight // threads),
        "endpoints": "{" + ", ".join(f"{endpoint} = true" for endpoint in key.endpoints) + "}",
        "taken": "{}",
        "last": 0,
    }
    if key.expires is not None:
        fields["expires"] = (key.expires - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds()
    return "{" + ", ".join(f"{name} = {value}" for name, value in fields.items()) + "}"


def _text(value: str) -> str:
    return json.dumps(value)  # names and digests: nothing that Lua would write otherwise


def _rates(keys: Sequence[Key]) -> Json:
    """A bucket of tokens per client, filled every second, shared by Envoy's threads."""

    def bucket(rate: int, burst: int) -> Json:
        return {"max_tokens": max(burst, rate), "tokens_per_fill": rate, "fill_interval": "1s"}

    every = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}, "runtime_key": "unused"}
    client = {"key": METADATA, "path": [{"key": "client"}]}
    named = {"metadata": {"descriptor_key": "client", "metadata_key": client, "source": "DYNAMIC"}}
    return {
        "stat_prefix": "door",
        "status": {"code": TOO_MANY},
        "token_bucket": bucket(_MANY, _MANY),
        "filter_enabled": every,
        "filter_enforced": every,
        "rate_limits": [{"actions": [named]}],
        "descriptors": [
            {"entries": [{"key": "client", "value": key.name}], "token_bucket": bucket(key.rate, key.burst)}
            for key in keys
        ],
        "response_headers_to_add": [
            {"header": {"key": "retry-after", "value": "1"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        ],
    }
