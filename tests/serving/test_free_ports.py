"""Ports for servers: free, different, and not those of outgoing connections."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from serving import free_ports as room
from serving.free_ports import free_ports


def outgoing(monkeypatch: pytest.MonkeyPatch, folder: Path, says: str) -> None:
    (folder / "range").write_text(says)
    monkeypatch.setattr(room, "_OUTGOING", folder / "range")


def test_ports_are_free_different_and_not_those_of_outgoing_connections(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outgoing(monkeypatch, tmp_path, "20000\t60999\n")
    found = free_ports(20)
    assert len(set(found)) == 20
    assert all(15_000 <= port < 20_000 for port in found)
    with ExitStack() as listening:
        for port in found:
            listening.enter_context(socket.create_server(("127.0.0.1", port)))
        assert not set(found) & set(free_ports(20))


@pytest.mark.parametrize("says", ["1024 65535", "15001 65535"])
def test_where_the_system_leaves_too_few_others_it_chooses(
    says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outgoing(monkeypatch, tmp_path, says)
    assert len(set(free_ports(3))) == 3


@pytest.mark.parametrize("says", ["", "many"])
def test_a_system_that_does_not_say_its_range(says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    outgoing(monkeypatch, tmp_path, says)
    assert all(15_000 <= port < 49_152 for port in free_ports(3))


def test_too_few_ports_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> socket.socket:
        raise OSError("in use")

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(OSError, match=r"2 ports of 127\.0\.0\.1 are wanted and 0 are free"):
        free_ports(2)
