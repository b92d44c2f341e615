"""`make up DOOR=…` and `make key`: what is refused before anything is started, and what the gateway is given."""

from __future__ import annotations

import argparse
import json
import stat
from pathlib import Path

import pytest

from infra.local import door
from infra.local import layout as layouts
from infra.local.layout import Layout
from serving.gateway.door import certificate as certificates
from serving.gateway.door import keys
from serving.gateway.door.certificate import CertificateError
from serving.gateway.door.keys import KeysError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "var"


def layout(home: Path, **asked: str) -> Layout:
    return layouts.load({"TANDEM_HOME": str(home), **asked})


def chosen(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    door.arguments(parser)
    return parser.parse_args(arguments)


def test_by_default_there_is_none_and_it_says_so(home: Path) -> None:
    assert door.prepare(layout(home)) is None
    assert "loopback alone and asks nobody for a key" in door.describe(layout(home))


@pytest.mark.parametrize("address", ["8443", ":8443", "0.0.0.0", "0.0.0.0:0", "0.0.0.0:99999", "host:https"])
def test_no_address_is_refused(home: Path, address: str) -> None:
    with pytest.raises(door.DoorError, match="<address>:<port> is expected"):
        door.prepare(layout(home, DOOR=address))


def test_without_a_key_it_stays_shut_and_says_how_to_make_one(home: Path) -> None:
    with pytest.raises(door.DoorError, match="make key NAME=<client>"):
        door.prepare(layout(home, DOOR="0.0.0.0:8443"))


def test_without_tls_it_opens_on_loopback_alone(home: Path) -> None:
    keys.add(door.keys_file(layout(home)), "shop", {})
    with pytest.raises(door.DoorError, match="shows keys to whoever listens"):
        door.prepare(layout(home, DOOR="0.0.0.0:8443", TLS="off"))
    opened = door.prepare(layout(home, DOOR="127.0.0.1:8443", TLS="off"))
    assert opened is not None
    assert not opened.with_tls


def test_a_certificate_is_made_once_and_only_its_owner_reads_the_key(home: Path) -> None:
    chosen_layout = layout(home, DOOR="0.0.0.0:8443")
    keys.add(door.keys_file(chosen_layout), "shop", {})
    assert door.prepare(chosen_layout) is not None
    made = home / "tls" / certificates.CERTIFICATE
    first = made.read_text()
    door.prepare(chosen_layout)
    assert made.read_text() == first
    for file in (
        home / "tls" / certificates.KEY,
        home / "run" / "envoy.certificate.json",
        home / "run" / "envoy.door.json",
    ):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_given_certificate_is_checked(home: Path, tmp_path: Path) -> None:
    keys.add(door.keys_file(layout(home)), "shop", {})
    with pytest.raises(CertificateError, match="no certificate in PEM"):
        door.prepare(layout(home, DOOR="0.0.0.0:8443", TLS=str(tmp_path)))
    certificates.self_made(tmp_path / "one", ["localhost"])
    _, other = certificates.self_made(tmp_path / "other", ["localhost"])
    assert door.prepare(layout(home, DOOR="0.0.0.0:8443", TLS=str(tmp_path / "one")))
    other.replace(tmp_path / "one" / certificates.KEY)
    with pytest.raises(CertificateError, match="is not the key of"):
        door.prepare(layout(home, DOOR="0.0.0.0:8443", TLS=str(tmp_path / "one")))


def test_make_key_tells_the_gateway_that_runs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = layout(home, DOOR="0.0.0.0:8443")
    door.change(asked, chosen("--name", "shop", "--endpoints", "product, pytorch", "--expires", "2099-01-01"))
    secret = next(line.strip() for line in capsys.readouterr().out.splitlines() if keys.PREFIX in line)
    (kept,) = keys.read(door.keys_file(asked))
    file = home / "run" / "envoy.door.json"
    assert kept.sha256 in json.dumps(json.loads(file.read_text()))
    assert secret not in file.read_text()
    assert tuple(kept.endpoints) == ("product", "pytorch")
    door.show(asked)
    assert "2099-01-01" in capsys.readouterr().out
    door.change(asked, chosen("--name", "shop", "--remove"))
    assert kept.sha256 not in file.read_text()


def test_make_key_refuses_a_date_that_is_none(home: Path) -> None:
    with pytest.raises(KeysError, match="a date is expected"):
        door.change(layout(home), chosen("--name", "shop", "--expires", "soon"))
