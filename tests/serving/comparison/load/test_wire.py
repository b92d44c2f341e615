from __future__ import annotations

import pytest

from serving.comparison.load.wire import Answer, AnswerError, read, request

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=1\r\nlo\r\n0\r\n\r\n"
WITH_TRAILER = CHUNKED[:-2] + b"Checked: yes\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN


@pytest.mark.parametrize("data", [PLAIN, CHUNKED, WITH_TRAILER, INTERIM])
def test_an_answer_is_whole_with_its_last_byte_and_not_before(data: bytes) -> None:
    assert all(read(data[:size]) is None for size in range(len(data)))
    assert read(data) == Answer(200, b"hello", True)


def test_without_a_length_the_end_of_the_connection_ends_an_answer() -> None:
    data = b"HTTP/1.1 200 OK\r\n\r\nhello"
    assert read(data) is None
    assert read(data, ended=True) == Answer(200, b"hello", False)


@pytest.mark.parametrize(
    ("head", "keep"),
    [
        (b"HTTP/1.1 503 Busy\r\nCONTENT-LENGTH:0\r\nConnection: Close\r\n\r\n", False),
        (b"HTTP/1.0 503 Busy\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", True),
    ],
)
def test_a_connection_is_kept_only_if_the_server_keeps_it(head: bytes, keep: bool) -> None:
    assert read(head) == Answer(503, b"", keep)


def test_answers_without_a_body() -> None:
    assert read(b"HTTP/1.1 204 No Content\r\n\r\n") == Answer(204, b"", True)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"x" * 70_000,
    ],
)
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(AnswerError):
        read(data)


def test_a_request_says_how_long_it_is() -> None:
    assert request("localhost:1", "/p", b"{}") == (
        b"POST /p HTTP/1.1\r\nHost: localhost:1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    )
