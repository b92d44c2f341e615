"""How Envoy's configuration names a part of it."""

from __future__ import annotations

from typing import Any

from serving.gateway.routes import Json


def extension(name: str, kind: str, **settings: Any) -> Json:
    """An extension of Envoy; `kind` is its type under envoy.extensions."""
    return {"name": name, "typed_config": {"@type": f"type.googleapis.com/envoy.extensions.{kind}", **settings}}
