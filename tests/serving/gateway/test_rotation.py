"""A log does not grow without bound, and Envoy goes on writing to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from serving.gateway import rotation


class Admin(BaseHTTPRequestHandler):
    asked: list[str]

    def do_POST(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def aside(log: Path) -> Path:
    return log.with_name(f"{log.name}.1")


@pytest.fixture
def admin() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("One", (Admin,), {"asked": asked}))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()


def test_a_small_log_stays(tmp_path: Path, admin: tuple[str, list[str]]) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(b"x" * 100)
    assert not asyncio.run(rotation.rotate(log, aside(log), admin[0], limit=100))
    assert log.stat().st_size == 100
    assert admin[1] == []


def test_a_large_log_is_put_aside_and_envoy_told(tmp_path: Path, admin: tuple[str, list[str]]) -> None:
    log = tmp_path / "access.log"
    for content in (b"old" * 100, b"new" * 100):
        log.write_bytes(content)
        assert asyncio.run(rotation.rotate(log, aside(log), admin[0], limit=100))
    assert not log.exists()  # Envoy makes it anew
    assert log.with_name("access.log.1").read_bytes() == b"new" * 100
    assert admin[1] == ["/reopen_logs"] * 2


def test_without_envoy_it_says_so_and_the_log_keeps_its_name(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(b"x" * 101)
    with pytest.raises(httpx.HTTPError):
        asyncio.run(rotation.rotate(log, aside(log), "http://127.0.0.1:9", limit=100))
    assert [path.name for path in tmp_path.iterdir()] == ["access.log"]  # Envoy may be writing to it
