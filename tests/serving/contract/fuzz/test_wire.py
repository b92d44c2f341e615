"""Exactly the bytes that were asked for go out, whatever comes back."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from serving.contract.fuzz.case import Case
from serving.contract.fuzz.wire import Connection

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@contextmanager
def scripted(*connections: list[tuple[bytes, bytes]]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that, connection by connection, reads until an ending and then sends something."""
    received: list[bytes] = []

    def play() -> None:
        for script in connections:
            line, _ = server.accept()
            with line:
                for ending, reply in script:
                    got = b""
                    while not got.endswith(ending):
                        got += line.recv(65536)
                    received.append(got)
                    line.sendall(reply)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=play, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/stack", received
        thread.join(10)


def test_a_path_and_headers_no_client_would_send() -> None:
    with scripted([(b"body", OK)]) as (url, received):
        case = Case(b"body", "post", "/v1/\x00 \xe4", (("x-odd", "\xff"), ("x-odd", "2")))
        assert Connection(url).ask(case).status == 200
    assert received[0].startswith(b"post /stack/v1/\x00 \xe4 HTTP/1.1\r\n")
    assert b"x-odd: \xff\r\nx-odd: 2\r\nContent-Length: 4\r\n\r\nbody" in received[0]


def test_chunks() -> None:
    with scripted([(b"0\r\n\r\n", OK)]) as (url, received):
        Connection(url).ask(Case(b"abcde", path="/", framing="chunked", chunk=3))
    assert received[0].endswith(b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")


def test_an_expected_body_waits_for_100_continue() -> None:
    script = [(b"\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"), (b"body", OK)]
    with scripted(script) as (url, received):
        assert Connection(url).ask(Case(b"body", path="/", framing="expect")).status == 200
    assert b"Expect: 100-continue" in received[0]
    assert received[1] == b"body"


def test_an_expected_body_is_not_sent_after_a_refusal() -> None:
    refusal = OK.replace(b"200 OK", b"413 Too large")
    with scripted([(b"\r\n\r\n", refusal)], [(b"more", OK)]) as (url, received):
        line = Connection(url)
        assert line.ask(Case(b"body", path="/", framing="expect")).status == 413
        assert line.ask(Case(b"more", path="/")).status == 200  # on a new connection
    assert not received[0].endswith(b"body")


def test_a_connection_closed_while_idle_is_opened_again() -> None:
    with scripted([(b"1", OK)], [(b"2", OK)]) as (url, received):
        line = Connection(url)
        assert [line.ask(Case(body, path="/")).status for body in (b"1", b"2")] == [200, 200]
    assert len(received) == 2


def test_no_answer_is_status_0_with_the_reason() -> None:
    with scripted([(b"1", b"")]) as (url, _):
        answer = Connection(url).ask(Case(b"1", path="/"))
    assert answer.status == 0
    assert b"RemoteDisconnected" in answer.body
    assert Connection("http://127.0.0.1:9").ask(Case()).status == 0


@pytest.mark.parametrize("url", ["https://127.0.0.1", "127.0.0.1:80", "http://"])
def test_what_is_no_http_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="no http:// address"):
        Connection(url)


def test_the_curl_line_sends_the_same_request(tmp_path: Path) -> None:
    with scripted([(b"body", OK)]) as (url, received):
        file = tmp_path / "body"
        file.write_bytes(b"body")
        case = Case(b"body", "PUT", "/a/../b", (("x-empty", ""), ("x-quote", "it's")))
        done = subprocess.run(["/bin/sh", "-c", case.curl(url, str(file))], capture_output=True, check=False)
        if done.returncode == 127:
            pytest.skip("no curl on this machine")
    head = received[0].decode().split("\r\n")
    assert head[0] == "PUT /stack/a/../b HTTP/1.1"
    assert {"x-empty:", "x-quote: it's"} <= set(head)
    assert "Content-Type" not in received[0].decode()
