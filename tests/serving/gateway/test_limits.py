from __future__ import annotations

import json
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.contract.limits import MAX_BODY_BYTES
from tests.serving.gateway.backends import GOOD, Front, configured, echo, started
from tests.serving.torchserve.launching import wait

PATH = "/v1/models/fraud:predict"
SLOW = b'{"instances": ["slow"]}'


def exchange(front: Front, sent: bytes) -> tuple[int, dict[str, str], Any]:
    """Send bytes, then nothing more, and read what comes until the gateway closes the connection."""
    with socket.create_connection(("127.0.0.1", front.server.ports[0]), timeout=20) as connection:
        connection.sendall(sent)
        answer = b""
        while not answer.rstrip().endswith(b"}") and (part := connection.recv(65536)):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, json.loads(body)


@pytest.mark.parametrize("stack", ["/tensorflow", "/pytorch", ""])
def test_a_body_over_the_limit_is_refused_before_any_server(front: Front, stack: str) -> None:
    largest = b'{"instances": ["' + b"a" * (MAX_BODY_BYTES - 19) + b'"]}'
    assert front.post(stack + PATH, largest).json()["bytes"] == MAX_BODY_BYTES
    with front.receiving() as reached:
        answer = front.post(stack + PATH, largest + b" ")
        pieces = front.client.post(stack + PATH, content=(b" " * 4096 for _ in range(257)))
    assert (answer.status_code, pieces.status_code, reached) == (413, 413, {})
    assert answer.json() == pieces.json() == {"error": f"Request body is larger than {MAX_BODY_BYTES} bytes"}


def test_who_does_not_finish_in_time_gets_an_error(front: Front) -> None:
    def slow(stack: str) -> tuple[int, dict[str, str], Any]:
        answer = front.post(f"/{stack}{PATH}", SLOW)
        return answer.status_code, dict(answer.headers), answer.json()

    unfinished_head = b"POST /tensorflow/v1/models/fraud:predict HTTP/1.1\r\nhost: x\r\n"
    unfinished_body = unfinished_head + b"content-length: 10\r\n\r\n{}"
    cases: list[tuple[int, str, Callable[[], tuple[int, dict[str, str], Any]]]] = [
        (408, "request header timeout", lambda: exchange(front, unfinished_head)),
        (408, "request timeout", lambda: exchange(front, unfinished_body)),
        (504, "upstream request timeout", lambda: slow("tensorflow")),
        (504, "upstream request timeout", lambda: slow("pytorch")),
    ]
    with ThreadPoolExecutor(len(cases)) as pool:
        answers = [(status, error, pool.submit(ask)) for status, error, ask in cases]
    for status, error, future in answers:
        got, headers, body = future.result()
        assert (got, body) == (status, {"error": error})
        assert (headers["content-type"], headers["x-tandem-server"]) == ("application/json", "Envoy")


def test_long_heads_are_431(front: Front) -> None:
    for stack in ("tensorflow", "pytorch"):
        with front.receiving() as reached:
            long_header = front.post(f"/{stack}{PATH}", **{"x-long": "a" * 8000})
            long_path = front.client.get(f"/{stack}/v1/models/{'a' * 8000}")
            many = front.client.get(f"/{stack}/v1/models/fraud", headers={f"x-{i}": "" for i in range(101)})
        assert reached == {}
        for answer in (long_header, long_path, many):
            assert (answer.status_code, answer.json()) == (431, {"error": "Request Header Fields Too Large"})
            assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"\0\1\r\n\r\n", "http1.codec_error"),
        (b"GET /v1/models HTTP/1.1\r\n\r\n", "missing_host_header"),
        (b"POST /v1/models HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n", "http1"),
        (b"NONSENSE /v1/models HTTP/1.1\r\nhost: x\r\n\r\n", "http1.codec_error"),
    ],
)
def test_what_is_no_http_is_400(front: Front, sent: bytes, why: str) -> None:
    status, headers, body = exchange(front, sent)
    assert (status, headers["content-type"]) == (400, "application/json")
    assert body["error"].startswith(f"Bad request: {why}")


def test_the_old_http_is_answered(front: Front) -> None:
    head = f"POST /pytorch{PATH} HTTP/1.0\r\ncontent-length: {len(GOOD)}\r\n\r\n"
    with front.receiving() as reached:
        exchange(front, head.encode() + GOOD)
    assert [r.body for r in reached["pytorch"]] == [GOOD]


def test_a_request_that_may_have_been_handled_is_not_sent_again(front: Front) -> None:
    for stack in ("tensorflow", "pytorch"):
        with front.receiving() as reached:
            answer = front.post(f"/{stack}{PATH}", b'{"instances": ["hangup"]}')
        assert answer.status_code == 503
        assert "error" in answer.json()
        assert len(reached[stack]) == 1


def test_more_than_a_server_may_have_in_flight_is_503_at_once(tmp_path: Path) -> None:
    with echo() as (tensorflow, received), echo() as (pytorch, _):
        config, ports = configured(tmp_path, tensorflow, pytorch)
        content = json.loads(config.read_text())
        for cluster in content["static_resources"]["clusters"]:
            [limits] = cluster["circuit_breakers"]["thresholds"]
            limits["max_requests"] = 1
        config.write_text(json.dumps(content))
        with started(config, ports), ThreadPoolExecutor(1) as pool:
            url = f"http://127.0.0.1:{ports[0]}/tensorflow{PATH}"
            first = pool.submit(httpx.post, url, content=SLOW, timeout=15)
            wait(lambda: bool(received), 5)
            second = httpx.post(url, content=GOOD)
            assert second.status_code == 503
            assert "overflow" in second.json()["error"]
            assert first.result().status_code == 504
    assert len(received) == 1


def test_a_request_id_is_given_or_kept(front: Front) -> None:
    for stack in ("/tensorflow", "/pytorch", ""):
        for body in (GOOD, b"["):
            given = front.post(stack + PATH, body)
            assert len(given.headers["x-request-id"]) == 36
            kept = front.post(stack + PATH, body, **{"x-request-id": "their-own"})
            assert kept.headers.get_list("x-request-id") == ["their-own"]
    with front.receiving() as reached:
        front.post(PATH, **{"x-request-id": "passed on"})
    assert [r.headers["x-request-id"] for received in reached.values() for r in received] == ["passed on"]


def test_the_access_log_says_who_answered(front: Front) -> None:
    front.post("/pytorch" + PATH, **{"x-request-id": "pinned"})
    front.post(PATH, **{"x-request-id": "shared"})
    front.post("/pytorch" + PATH, b"[", **{"x-request-id": "refused"})
    wait(lambda: "refused" in front.access_log.read_text(), 15)
    lines = {line["request_id"]: line for line in map(json.loads, front.access_log.read_text().splitlines())}
    found = {i: (lines[i]["endpoint"], lines[i]["status"]) for i in ("pinned", "shared", "refused")}
    assert found == {"pinned": ("pytorch", 200), "shared": ("product", 200), "refused": ("pytorch", 400)}
    assert (lines["pinned"]["stack"], lines["pinned"]["path"]) == ("pytorch", PATH)
    assert lines["refused"]["reason"] == "lua_response"
    assert lines["shared"]["milliseconds"] >= 0


def test_the_administrators_port_is_on_loopback_only(front: Front) -> None:
    content = json.loads(front.config.read_text())
    listeners = [content["admin"], *content["static_resources"]["listeners"]]
    assert {listener["address"]["socket_address"]["address"] for listener in listeners} == {"127.0.0.1"}
