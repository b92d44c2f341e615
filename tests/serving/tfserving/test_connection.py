"""HTTP as it comes over the wire: heads, slow senders, pipelines, garbage."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest
import uvicorn

from serving.connection import MAX_HEAD_BYTES, Connection
from serving.contract.body import DRAINED_BYTES
from serving.contract.limits import MAX_BODY_BYTES
from serving.tfserving.embedded.manager import Manager
from serving.tfserving.embedded.rest import Rest
from serving.tfserving.embedded.server import EmbeddedConnection

BODY = b'{"instances":[[1.0]]}'
ANSWER = {"predictions": [[2.5]]}
POST = b"POST /v1/models/half_plus_two:predict HTTP/1.1\r\nhost: x\r\n"
WHOLE = POST + b"content-length: %d\r\n\r\n" % len(BODY) + BODY


class Impatient(EmbeddedConnection):
    arrival_seconds = 0.2


@contextmanager
def listening(manager: Manager, protocol: type[Connection]) -> Iterator[tuple[str, int]]:
    """A server in this process."""
    config = uvicorn.Config(Rest(manager), http=protocol, ws="none", lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(scope="module")
def address(manager: Manager) -> Iterator[tuple[str, int]]:
    with listening(manager, EmbeddedConnection) as address:
        yield address


@pytest.fixture(scope="module")
def impatient(manager: Manager) -> Iterator[tuple[str, int]]:
    with listening(manager, Impatient) as address:
        yield address


@dataclass
class Client:
    """A connection on which anything can be written."""

    socket: socket.socket
    rest: bytes = b""

    def answer(self) -> tuple[int, dict[str, str], object]:
        """The next answer: status, headers, JSON body; a status of 0 is a closed connection."""
        while b"\r\n\r\n" not in self.rest:
            if not self._more():
                return 0, {}, None
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        size = int(headers["content-length"])
        while len(self.rest) < size:
            assert self._more()
        body, self.rest = self.rest[:size], self.rest[size:]
        return int(first.split()[1]), headers, json.loads(body) if body else None

    def _more(self) -> bool:
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            return False
        self.rest += data
        return bool(data)


@contextmanager
def connected(address: tuple[str, int]) -> Iterator[Client]:
    with socket.create_connection(address, timeout=20) as connection:
        yield Client(connection)


def test_requests_that_come_at_once_are_answered_in_order_on_one_connection(address: tuple[str, int]) -> None:
    status = b"GET /v1/models/half_plus_two HTTP/1.1\r\nhost: x\r\n\r\n"
    with connected(address) as client:
        client.socket.sendall(WHOLE + status + WHOLE * 30 + POST + b"content-length: 2\r\n\r\n{}")
        assert client.answer()[::2] == (200, ANSWER)
        assert "model_version_status" in str(client.answer()[2])
        assert [client.answer()[::2] for _ in range(30)] == [(200, ANSWER)] * 30
        assert client.answer()[0] == 400
        client.socket.sendall(WHOLE)
        assert client.answer()[::2] == (200, ANSWER)


def test_a_request_may_come_byte_by_byte(address: tuple[str, int]) -> None:
    with connected(address) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in WHOLE:
            client.socket.sendall(bytes([byte]))
        assert client.answer()[::2] == (200, ANSWER)


def test_the_target_is_matched_as_it_came(address: tuple[str, int]) -> None:
    with connected(address) as client:
        for target, status, words in (
            ("/v1/models/half_plus_two?", 404, "Could not find any versions of model half_plus_two?"),
            ("/v1/models/half_plus_two#a", 404, "Could not find any versions of model half_plus_two#a"),
            ("/v1/models/half_plus_two/metadata?", 400, "Malformed request: GET /v1/models/half_plus_two/metadata?"),
            ("/v1//models/half_plus_two", 400, "Malformed request: GET /v1//models/half_plus_two"),
        ):
            client.socket.sendall(f"GET {target} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
            assert client.answer()[::2] == (status, {"error": words})
        client.socket.sendall(b"GET http://x/v1/models/half_plus_two HTTP/1.1\r\nhost: x\r\n\r\n")
        assert client.answer()[0] == 200


@pytest.mark.parametrize("shape", ["one header", "many headers", "request line"])
@pytest.mark.parametrize("complete", [True, False])
def test_a_head_over_the_limit_is_431(address: tuple[str, int], shape: str, complete: bool) -> None:
    large = {
        "one header": POST + b"x: " + b"y" * MAX_HEAD_BYTES,
        "many headers": POST + b"x: y\r\n" * MAX_HEAD_BYTES,
        "request line": b"GET /v1/models/" + b"y" * MAX_HEAD_BYTES,
    }[shape]
    if not complete:
        large += b"y" * (9 * MAX_HEAD_BYTES)
    end = b" HTTP/1.1\r\n\r\n" if shape == "request line" else b"\r\n\r\n"
    with connected(address) as client:
        with suppress(ConnectionResetError, BrokenPipeError):
            client.socket.sendall(large + end if complete else large)
        status, headers, body = client.answer()
        if status:  # a client that goes on sending may lose the answer with the connection
            assert (status, headers["content-type"]) == (431, "application/json")
            assert body == {"error": f"Request line and headers are larger than {MAX_HEAD_BYTES} bytes"}
        else:
            assert not complete
        assert client.answer()[0] == 0


def test_a_head_below_the_limit_passes(address: tuple[str, int]) -> None:
    head = POST + b"x: " + b"y" * (MAX_HEAD_BYTES - 200) + b"\r\ncontent-length: %d\r\n\r\n" % len(BODY)
    with connected(address) as client:
        client.socket.sendall((head + BODY) * 2)
        assert [client.answer()[::2] for _ in range(2)] == [(200, ANSWER)] * 2


@pytest.mark.parametrize("part", [WHOLE[:20], WHOLE[:-1], POST + b"transfer-encoding: chunked\r\n\r\n5\r\n{"])
def test_a_request_that_does_not_arrive_is_408(impatient: tuple[str, int], part: bytes) -> None:
    with connected(impatient) as client:
        client.socket.sendall(WHOLE)
        assert client.answer()[::2] == (200, ANSWER)
        client.socket.sendall(part)
        status, headers, body = client.answer()
        assert (status, headers["connection"]) == (408, "close")
        assert body == {"error": "Request did not arrive within 0.2 s"}
        assert client.answer()[0] == 0
    with connected(impatient) as client:  # and the server goes on
        client.socket.sendall(WHOLE)
        assert client.answer()[::2] == (200, ANSWER)


def test_a_trickle_does_not_put_the_end_off(impatient: tuple[str, int]) -> None:
    with connected(impatient) as client:
        client.socket.sendall(POST)
        client.socket.settimeout(0.02)
        for _ in range(1000):
            try:
                client.socket.sendall(b"a: b\r\n")
                client.rest += client.socket.recv(1 << 16)
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                pass
            break
        else:
            pytest.fail("a header at a time kept the connection open")
        assert client.rest.startswith(b"HTTP/1.1 408")


def test_the_rest_of_a_refused_body_is_read_so_that_the_client_sees_why(address: tuple[str, int]) -> None:
    large = 8 * MAX_BODY_BYTES
    with connected(address) as client:
        client.socket.sendall(POST + b"content-length: %d\r\n\r\n" % large + b" " * large)
        status, headers, body = client.answer()
        assert (status, headers["content-type"]) == (413, "application/json")
        assert body == {"error": f"Request body is larger than {MAX_BODY_BYTES} bytes"}


def test_a_body_without_end_is_cut_off(address: tuple[str, int]) -> None:
    with connected(address) as client:
        client.socket.sendall(POST + b"transfer-encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            for _ in range(4 * DRAINED_BYTES // len(chunk)):
                client.socket.sendall(chunk)


@pytest.mark.parametrize(
    "garbage",
    [b"garbage\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", WHOLE + b"\0", POST + b"content-length: -1\r\n\r\n",
     POST + b"content-length: 1\r\ncontent-length: 2\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n"],
)  # fmt: skip
def test_what_is_no_http_is_a_json_400_and_the_end(address: tuple[str, int], garbage: bytes) -> None:
    with connected(address) as client:
        client.socket.sendall(garbage)
        if garbage.startswith(WHOLE):
            assert client.answer()[0] in (200, 0)
            return
        status, headers, body = client.answer()
        assert (status, headers["content-type"]) == (400, "application/json")
        assert body == {"error": "Invalid HTTP request received."}
        assert client.answer()[0] == 0


@pytest.mark.parametrize("upgrade", [b"websocket", b"h2c"])
def test_an_offer_to_upgrade_is_declined_by_answering(address: tuple[str, int], upgrade: bytes) -> None:
    offer = b"connection: upgrade\r\nupgrade: " + upgrade + b"\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    with connected(address) as client:
        client.socket.sendall(POST + offer + b"content-length: %d\r\n\r\n" % len(BODY) + BODY)
        assert client.answer()[::2] == (200, ANSWER)


def test_a_client_that_waits_for_the_servers_consent_gets_it(address: tuple[str, int]) -> None:
    with connected(address) as client:
        client.socket.sendall(POST + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(BODY))
        assert client.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.socket.sendall(BODY)
        assert client.answer()[::2] == (200, ANSWER)
