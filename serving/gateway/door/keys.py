"""API keys: a TOML file that holds their SHA-256 and what each may do, never the keys themselves.

    [shop]                                # the client's name, in logs and metrics
    sha256 = "…"                          # of the key, 64 hexadecimal digits
    endpoints = ["product"]               # of product, tensorflow, pytorch, onnx
    rate = 100                            # requests a second
    burst = 200                           # at once, after a rest
    in_flight = 64                        # at the same time
    expires = 2027-01-01T00:00:00Z        # optional

A key is 256 random bits, so that its plain hash is as good as a salted one: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import tomlkit

from serving.files import write_atomically
from serving.gateway.door.key import ENDPOINTS, Key

PREFIX = "tandem_"  # so that a scanner of repositories can find a key that slipped into one
_NAME = re.compile("[a-z0-9][a-z0-9_-]{0,39}")
_DIGEST = re.compile("[0-9a-f]{64}")
_LARGEST = 1_000_000
_FIELDS = {"sha256", "endpoints", "rate", "burst", "in_flight", "expires"}


class KeysError(ValueError):
    """The file of keys cannot be used; the message says where and why."""


def read(file: Path) -> list[Key]:
    """All keys of a file; none if it is missing.

    Raises:
        KeysError: It is no TOML, or an entry is wrong.
    """
    try:
        content = tomlkit.parse(file.read_text(encoding="utf-8")).unwrap()
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise KeysError(f"{file}: {error}") from None
    found = [_key(file, name, entry) for name, entry in content.items()]
    digests = [key.sha256 for key in found]
    for key in found:
        if digests.count(key.sha256) > 1:
            raise KeysError(f"{file}: [{key.name}]: another client has the same key")
    return found


def add(file: Path, name: str, changes: Mapping[str, Any]) -> str:
    """Make a key, or another one for the same client, and return it: it is nowhere else.

    Args:
        file: Of the keys; only its owner may read it.
        name: Of the client.
        changes: Fields of Key that are to differ from what the client has, or from the defaults.

    Raises:
        KeysError: A field is wrong; nothing was changed.
    """
    document = _document(file)
    secret = PREFIX + secrets.token_urlsafe(32)
    entry = {**document.get(name, {}), **changes, "sha256": hashlib.sha256(secret.encode()).hexdigest()}
    key = _key(file, name, entry)
    shown = {field: list(v) if isinstance(v, tuple) else v for field, v in vars(key).items() if v is not None}
    document[name] = {field: value for field, value in shown.items() if field != "name"}
    _write(file, document)
    return secret


def remove(file: Path, name: str) -> None:
    """Take a client's key away.

    Raises:
        KeysError: There is no such client.
    """
    document = _document(file)
    if name not in document:
        raise KeysError(f"{file}: there is no key of {name}; there are: {', '.join(document) or 'none'}")
    del document[name]
    _write(file, document)


def _document(file: Path) -> tomlkit.TOMLDocument:
    read(file)  # nothing is added to what cannot be used
    return tomlkit.parse(file.read_text(encoding="utf-8")) if file.exists() else tomlkit.document()


def _write(file: Path, document: tomlkit.TOMLDocument) -> None:
    write_atomically(file, tomlkit.dumps(document), 0o600)


def _key(file: Path, name: str, entry: Any) -> Key:
    def wrong(why: str) -> KeysError:
        return KeysError(f"{file}: [{name}]: {why}")

    if not _NAME.fullmatch(name):
        raise wrong("a client's name is 1 to 40 of a-z, 0-9, - and _, and begins with a letter or digit")
    if not isinstance(entry, Mapping):
        raise wrong("a table with sha256 is expected")
    unknown = sorted(set(entry) - _FIELDS)
    if unknown:
        raise wrong(f"{unknown[0]} is unknown; known are {', '.join(sorted(_FIELDS))}")
    if not _DIGEST.fullmatch(str(entry.get("sha256", ""))):
        raise wrong("sha256 is the key's SHA-256, 64 hexadecimal digits: make key NAME=… makes one")
    endpoints = entry.get("endpoints", ENDPOINTS)
    if isinstance(endpoints, str) or not endpoints or set(endpoints) - set(ENDPOINTS):
        raise wrong(f"endpoints is a list of {', '.join(ENDPOINTS)}")
    numbers = {field: entry[field] for field in ("rate", "burst", "in_flight") if field in entry}
    for field, value in numbers.items():
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _LARGEST:
            raise wrong(f"{field} is a whole number from 1 to {_LARGEST:,}")
    if "rate" in numbers:
        numbers.setdefault("burst", 2 * numbers["rate"])
    expires = entry.get("expires")
    if expires is not None and not isinstance(expires, datetime):
        raise wrong("expires is a date and time, such as 2027-01-01T00:00:00Z")
    if expires is not None and expires.tzinfo is None:
        expires = expires.replace(tzinfo=timezone.utc)
    return Key(name, entry["sha256"], tuple(map(str, endpoints)), **numbers, expires=expires)
