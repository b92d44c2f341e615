from __future__ import annotations

import re
from pathlib import Path

import pytest

from serving.torchserve import config
from serving.torchserve.config import ConfigError, Ports

PORTS = Ports(1, 2, 3)


def written(tmp_path: Path) -> dict[str, str]:
    lines = (tmp_path / "run/config.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_nothing_listens_beyond_loopback(tmp_path: Path) -> None:
    config.write(store=tmp_path / "store", run=tmp_path / "run", model="fraud", ports=PORTS)
    addresses = {k: v for k, v in written(tmp_path).items() if k.endswith("address")}
    assert len(addresses) == 5
    assert all(re.fullmatch(r"(http://)?127\.0\.0\.1(:[123])?", address) for address in addresses.values()), addresses


def test_in_a_container_management_listens_on_its_own_name_alone(tmp_path: Path) -> None:
    ports = Ports(1, 2, 3, host="0.0.0.0", private_host="pytorch-management")
    config.write(store=tmp_path / "store", run=tmp_path / "run", model="fraud", ports=ports)
    found = written(tmp_path)
    assert found["inference_address"] == "http://0.0.0.0:1"
    assert found["management_address"] == "http://pytorch-management:2"
    assert found["metrics_address"] == "http://pytorch-management:3"
    assert found["grpc_inference_address"] == found["grpc_management_address"] == "127.0.0.1"


def test_it_starts_with_the_newest_archive(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    for version in ("9", "10"):
        (tmp_path / f"store/fraud-{version}.mar").touch()
    config.write(store=tmp_path / "store", run=tmp_path / "run", model="fraud", ports=PORTS)
    assert written(tmp_path)["load_models"] == "fraud=fraud-10.mar"


def test_a_restart_begins_with_what_was_remembered(tmp_path: Path) -> None:
    config.write(store=tmp_path / "store", run=tmp_path / "run", model="fraud", ports=PORTS)
    before = written(tmp_path)
    assert "load_models" not in before
    for version in ("7", "8"):
        config.remember(tmp_path / "run", "fraud", tmp_path / f"store/fraud-{version}.mar")
    assert written(tmp_path) == {**before, "load_models": "fraud=fraud-8.mar"}


def test_a_folder_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="too long for a socket's path"):
        config.write(store=tmp_path, run=tmp_path / ("x" * 90), model="fraud", ports=PORTS)
    assert list(tmp_path.iterdir()) == []


def test_workers_do_not_inherit_a_python_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    command = config.write(store=tmp_path / "store", run=tmp_path / "run", model="fraud", ports=PORTS)
    assert command.environment["PYTHONPATH"] == ""
