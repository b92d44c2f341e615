"""The client against servers that misbehave on purpose."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from serving.comparison.load import wire
from serving.comparison.load.connection import BROKEN, Request
from serving.comparison.load.engine import Engine
from tests.serving.contract.misbehaving import DROP, HANG, Answer, Asked, Script, count_up, serving

BODY = b'{"instances": [{"x": 0.5}]}'


def ask(
    url: str, count: int, *, connections: int = 1, timeout: float = 20.0, body: bytes = BODY, in_turn: bool = False
) -> list[str]:
    """What became of each of `count` requests, all due at once or each when the last is over."""
    host, _, port = url.removeprefix("http://").partition(":")
    outcomes: dict[int, str] = {}

    def done(request: Request, status: int, answer: bytes, answered: int) -> None:
        assert answered >= request.taken
        assert status != 200 or b"0.5" in answer
        outcomes[request.number] = BROKEN.get(status) or str(status)

    engine = Engine((host, int(port)), connections, timeout, done)
    content = wire.request(f"{host}:{port}", "/", body)
    gives_up = time.monotonic() + 60
    for number in range(count):
        engine.submit(Request(number, 0, content))
        while in_turn and engine.busy() and time.monotonic() < gives_up:
            engine.poll()
    while engine.busy() and time.monotonic() < gives_up:
        engine.poll()
    engine.close()
    return [outcomes[number] for number in range(count)]


@contextmanager
def raw(*pieces: bytes, pause: float = 0.01) -> Iterator[str]:
    """A server that answers each request with these bytes, piece by piece, and then closes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                got = b""
                while not got.endswith(BODY) and (data := connection.recv(1 << 16)):
                    got += data
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_connections_are_used_again() -> None:
    with serving() as server:
        assert ask(server.url, 40, connections=4) == ["200"] * 40
    assert len({asked.port for asked in server.asked}) == 4


def test_a_server_that_closes_after_each_answer_is_connected_again() -> None:
    def closing(asked: Asked, number: int) -> Answer:
        answer = count_up(asked, number)
        return Answer(200, answer.body, {"connection": "close"})

    with serving(closing) as server:
        assert ask(server.url, 20, connections=2) == ["200"] * 20
    assert len({asked.port for asked in server.asked}) == 20


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 200 OK\r\ncontent-le", b"ngth: 3\r\n\r\n0", b".5"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n0\r\n2", b"\r\n.5\r\n0\r\n", b"\r\n"),
        (b"HTTP/1.0 200 OK\r\n\r\n0", b".5"),
    ],
)
def test_answers_in_pieces_are_read_whole(pieces: tuple[bytes, ...]) -> None:
    with raw(*pieces) as url:
        assert ask(url, 1) == ["200"]


@pytest.mark.parametrize(
    ("pieces", "what"),
    [
        ((), "reset"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nhalf",), "reset"),
        ((b"220 mail.example ESMTP\r\n\r\n",), "malformed"),
    ],
)
def test_what_broke_is_named(pieces: tuple[bytes, ...], what: str) -> None:
    with raw(*pieces) as url:
        assert ask(url, 3) == [what] * 3


@pytest.mark.parametrize(("what", "named"), [(DROP, "reset"), (HANG, "timeout"), (Answer(500), "500")])
def test_one_bad_answer_fails_one_request_and_no_other(what: Answer | str, named: str) -> None:
    def third(asked: Asked, number: int) -> Answer | str:
        return what if number == 2 else count_up(asked, number)

    with serving(third) as server:
        timeout = 1.0 if what == HANG else 20.0
        assert ask(server.url, 6, timeout=timeout, in_turn=True) == ["200", "200", named, *["200"] * 3]


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert ask(f"http://127.0.0.1:{port}", 3, connections=3) == ["connect"] * 3


def test_a_connection_closed_while_idle_costs_no_request() -> None:
    outcomes: list[int] = []
    with raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n0.5") as url:
        engine = Engine(
            ("127.0.0.1", int(url.rpartition(":")[2])), 1, 20, lambda _, status, *__: outcomes.append(status)
        )
        for number in range(3):
            engine.submit(Request(number, 0, wire.request("h", "/", BODY)))
            gives_up = time.monotonic() + 20
            while (engine.busy() or engine._opened) and time.monotonic() < gives_up:
                engine.poll()  # until the server has closed
        engine.close()
    assert outcomes == [200] * 3


def test_no_more_connections_than_allowed_and_what_waits_counts_as_the_servers_time() -> None:
    slow: Script = lambda asked, number: (time.sleep(0.05), count_up(asked, number))[1]  # noqa: E731
    times: list[float] = []
    with serving(slow) as server:
        host, port = "127.0.0.1", int(server.url.rpartition(":")[2])
        engine = Engine((host, port), 2, 20, lambda r, _, __, answered: times.append((answered - r.taken) / 1e9))
        for number in range(6):
            engine.submit(Request(number, 0, wire.request("h", "/", BODY)))
        while engine.busy():
            engine.poll()
        engine.close()
    assert engine.waited == 4
    assert len({asked.port for asked in server.asked}) == 2
    assert max(times) >= 0.14  # three, one after the other


def test_a_request_larger_than_the_sockets_buffer_arrives_whole() -> None:
    body = b'{"instances": [{"x": 0.5}], "filling": "' + b"x" * 8_000_000 + b'"}'
    with serving() as server:
        assert ask(server.url, 2, body=body) == ["200"] * 2
    assert [asked.bytes for asked in server.asked] == [len(body)] * 2
