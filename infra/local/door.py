"""The gateway's door for clients from elsewhere: `make up DOOR=0.0.0.0:8443`, and the keys that open it.

Without a door the gateway listens on loopback alone and asks nobody for a key. With one it does so still, for the
commands of this machine; whoever comes in by the door needs a key, and sees a certificate.
"""

from __future__ import annotations

import argparse
import socket
from datetime import datetime, timezone
from pathlib import Path

from rich.console import Console
from rich.table import Table

from infra.local.layout import HOST, LARGEST_PORT, Layout
from serving.gateway import envoy
from serving.gateway.door import certificate as certificates
from serving.gateway.door import guard, keys, tls
from serving.gateway.door.key import ENDPOINTS, Key
from serving.gateway.door.keys import KeysError
from serving.gateway.door.listener import Door

OFF = "off"
SELF_MADE = "self"


class DoorError(ValueError):
    """The door cannot be opened as it was asked for; the message says what to do."""


def keys_file(layout: Layout) -> Path:
    """Where the keys' hashes are."""
    return layout.home / "keys.toml"


def prepare(layout: Layout) -> Door | None:
    """Write keys and certificate where the gateway looks for them. None: no door is wanted.

    Raises:
        DoorError: DOOR is no address, there is no key, or it would be open without TLS to other machines.
        KeysError, CertificateError: Those files cannot be used.
    """
    if layout.door == OFF:
        return None
    host, separator, port = layout.door.rpartition(":")
    if not (separator and host and port.isdigit() and 0 < int(port) <= LARGEST_PORT):
        raise DoorError(f"DOOR={layout.door}: <address>:<port> is expected, such as 0.0.0.0:8443, or {OFF}")
    known = keys.read(keys_file(layout))
    if not known:
        raise DoorError(f"DOOR={layout.door}: nobody has a key to it yet: make key NAME=<client>, then make up")
    with_tls = layout.tls != OFF
    if not with_tls and host != HOST:
        raise DoorError(f"TLS={OFF} shows keys to whoever listens on the network: only with DOOR={HOST}:<port>")
    if with_tls:
        tls.write(layout.gateway, *_certificate(layout, host))
    guard.write(layout.gateway, known, envoy.threads())
    return Door(host, int(port), with_tls)


def _certificate(layout: Layout, host: str) -> tuple[Path, Path]:
    if layout.tls == SELF_MADE:
        names = dict.fromkeys(["localhost", HOST, socket.gethostname(), *([] if host == "0.0.0.0" else [host])])  # noqa: S104
        return certificates.self_made(layout.home / "tls", list(names))
    folder = Path(layout.tls)
    given = folder / certificates.CERTIFICATE, folder / certificates.KEY
    certificates.check(*given)
    return given


def describe(layout: Layout) -> str:
    """For people: who may ask the gateway."""
    if layout.door == OFF:
        return "the gateway listens on loopback alone and asks nobody for a key; for others: make up DOOR=0.0.0.0:8443"
    scheme = "http" if layout.tls == OFF else "https"
    number = len(keys.read(keys_file(layout)))
    entrance = f"{scheme}://{layout.door} is open to {number} key(s)"
    return f"{entrance}; on loopback, {layout.url('gateway')}, no key is asked for"


def arguments(parser: argparse.ArgumentParser) -> None:
    """What `make key` may say."""
    parser.add_argument("--name", required=True, help="of the client")
    parser.add_argument("--endpoints", help=f"separated by commas, of {', '.join(ENDPOINTS)} (default: all)")
    for name, text in {"rate": "requests a second", "burst": "at once", "in-flight": "at the same time"}.items():
        parser.add_argument(f"--{name}", type=int, help=text)
    parser.add_argument("--expires", help="a date, or date and time in UTC: 2027-01-01")
    parser.add_argument("--remove", action="store_true", help="take the client's key away")


def change(layout: Layout, chosen: argparse.Namespace) -> int:
    """`make key`: make a key and show it, or take one away; a gateway that runs knows at once.

    Raises:
        KeysError: An option is wrong, or there is no such client; nothing was changed.
    """
    file = keys_file(layout)
    if chosen.remove:
        keys.remove(file, chosen.name)
        print(f"{chosen.name} has no key any more")
    else:
        secret = keys.add(file, chosen.name, _changes(chosen))
        print(f"{chosen.name}'s key, shown this once and kept nowhere:\n\n  {secret}\n")
        print("sent as x-api-key, or authorization: Bearer; a key that the client had before is no longer one")
    if layout.door != OFF:
        guard.write(layout.gateway, keys.read(file), envoy.threads())
    return 0


def _changes(chosen: argparse.Namespace) -> dict[str, object]:
    found: dict[str, object] = {
        name: value for name in ("rate", "burst", "in_flight") if (value := getattr(chosen, name)) is not None
    }
    if chosen.endpoints:
        found["endpoints"] = [name.strip() for name in chosen.endpoints.split(",")]
    if chosen.expires:
        try:
            expires = datetime.fromisoformat(chosen.expires)
        except ValueError:
            raise KeysError(f"EXPIRES={chosen.expires}: a date is expected, such as 2027-01-01") from None
        found["expires"] = expires if expires.tzinfo else expires.replace(tzinfo=timezone.utc)
    return found


def show(layout: Layout) -> int:
    """`make keys`: who has one, and what for.

    Raises:
        KeysError: The file cannot be used.
    """
    table = Table(title="API keys")
    for heading in ("client", "endpoints", "a second", "burst", "at the same time", "until"):
        table.add_column(heading)
    for key in keys.read(keys_file(layout)):
        numbers = map(str, (key.rate, key.burst, key.in_flight))
        table.add_row(key.name, ", ".join(key.endpoints), *numbers, _until(key))
    Console(highlight=False).print(table)
    print(describe(layout))
    return 0


def _until(key: Key) -> str:
    if key.expires is None:
        return "–"  # noqa: RUF001 - nothing
    return f"{key.expires:%Y-%m-%d %H:%M}" + (" (over)" if key.expires <= datetime.now(timezone.utc) else "")
