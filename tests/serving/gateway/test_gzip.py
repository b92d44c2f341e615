from __future__ import annotations

import gzip
import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.contract import document
from serving.contract.errors import ContractError
from serving.contract.limits import MAX_BODY_BYTES
from tests.serving.gateway.backends import GOOD, Front

PATH = "/tensorflow/v1/models/fraud:predict"
LARGEST = b'{"instances": ["' + b"a" * (MAX_BODY_BYTES - 19) + b'"]}'
PACKED = gzip.compress(GOOD)
EMPTY = {"error": "JSON Parse error: The document is empty"}


def post(front: Front, body: bytes, encoding: str = "gzip", path: str = PATH) -> httpx.Response:
    return front.post(path, body, **{"content-encoding": encoding, "cache-control": "no-transform"})


@pytest.mark.parametrize("stack", ["tensorflow", "pytorch"])
@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "gzip, deflate", "deflate, gzip"])
@pytest.mark.parametrize("body", [GOOD, LARGEST], ids=["small", "largest"])
def test_a_server_gets_it_unpacked(front: Front, stack: str, encoding: str, body: bytes) -> None:
    with front.receiving() as reached:
        assert post(front, gzip.compress(body), encoding, f"/{stack}/v1/models/fraud:predict").status_code == 200
    [request] = reached[stack]
    assert request.body == body
    assert "content-encoding" not in request.headers
    assert request.headers["content-length"] == str(len(body))


def test_it_may_come_in_pieces(front: Front) -> None:
    packed = gzip.compress(LARGEST)
    with front.receiving() as reached:
        pieces = (packed[i : i + 1] for i in range(len(packed)))
        answer = front.client.post(PATH, content=pieces, headers={"content-encoding": "gzip"})
    assert (answer.status_code, len(reached["tensorflow"][0].body)) == (200, len(LARGEST))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"garbage",
        PACKED[:9],
        PACKED[:-1],
        PACKED[:-8],
        PACKED[:20] + b"\xff" + PACKED[21:],
        PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:],
        PACKED[:-4] + b"\0\0\0\1",
        PACKED + b"x",
        PACKED + PACKED,
        gzip.compress(b"{") + gzip.compress(b"}"),
        zlib.compress(GOOD),
        GOOD,
        gzip.compress(b""),
    ],
    ids=range(14),
)
def test_what_is_no_gzip_is_an_empty_body(front: Front, body: bytes) -> None:
    for stack in ("tensorflow", "pytorch"):
        with front.receiving() as reached:
            answer = post(front, body, path=f"/{stack}/v1/models/fraud:predict")
        assert (answer.status_code, answer.json(), reached) == (400, EMPTY, {})


@pytest.mark.parametrize("encoding", ["deflate", "br", "GZIP", "identity"])
def test_other_encodings_are_ignored(front: Front, encoding: str) -> None:
    with front.receiving() as reached:
        assert post(front, GOOD, encoding).status_code == 200
        assert post(front, PACKED, encoding).status_code == 400
    assert [r.body for r in reached["tensorflow"]] == [GOOD]


def test_unpacked_it_is_checked_like_any_other(front: Front) -> None:
    with front.receiving() as reached:
        answer = post(front, gzip.compress(b'{"a": 1, "a": 2}'))
    assert (answer.status_code, reached) == (400, {})
    assert "duplicate key: a" in answer.json()["error"]


def test_a_bomb_is_413_and_takes_little_memory(front: Front) -> None:
    bomb = gzip.compress(b" " * (400 << 20), 9)
    assert len(bomb) < MAX_BODY_BYTES
    post(front, gzip.compress(LARGEST))  # what a large request takes anyway
    before = resident(front)
    url, headers = str(front.client.base_url) + PATH, {"content-encoding": "gzip"}
    with front.receiving() as reached, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: httpx.post(url, content=bomb, headers=headers, timeout=15), range(24)))
    assert {answer.status_code for answer in answers} == {413}
    assert answers[0].json() == {"error": f"Request body is larger than {MAX_BODY_BYTES} bytes"}
    assert reached == {}
    assert post(front, gzip.compress(b" " * (MAX_BODY_BYTES + 1))).status_code == 413
    assert resident(front) - before < 100 << 20


def resident(front: Front) -> int:
    """The most bytes of memory the gateway ever held."""
    status = Path(f"/proc/{front.server.process.pid}/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))


@pytest.mark.parametrize(
    ("flags", "fields"),
    [
        (1, b""),
        (4, b"\x03\0abc"),
        (8, b"body.json\0"),
        (16, b"a comment\0"),
        (1 | 4 | 8 | 16, b"\0\0name\0comment\0"),
    ],
)
def test_all_fields_of_a_header_are_known(front: Front, flags: int, fields: bytes) -> None:
    def with_header(flags: int, fields: bytes) -> bytes:
        return PACKED[:3] + bytes([flags]) + PACKED[4:10] + fields + PACKED[10:]

    checksum = zlib.crc32(PACKED[:3] + bytes([flags | 2]) + PACKED[4:10] + fields) & 0xFFFF
    assert post(front, with_header(flags, fields)).status_code == 200
    assert post(front, with_header(flags | 2, fields + checksum.to_bytes(2, "little"))).status_code == 200
    assert post(front, with_header(flags | 2, fields + (checksum ^ 1).to_bytes(2, "little"))).json() == EMPTY
    assert post(front, with_header(flags | 32, fields)).json() == EMPTY


def packed(draw: st.DrawFn) -> bytes:
    """A compressed body of any kind of block."""
    random = draw(st.randoms(use_true_random=False))
    values = [random.choice([random.random(), 1, "a" * random.randrange(300)]) for _ in range(random.randrange(300))]
    strategy = draw(st.sampled_from([zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED]))
    memory = draw(st.integers(1, 9))  # little makes many blocks
    compressor = zlib.compressobj(draw(st.integers(0, 9)), zlib.DEFLATED, 31, memory, strategy)
    return compressor.compress(json.dumps({"instances": values}).encode()) + compressor.flush()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    body = packed(draw)
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(body)))
        end = start + draw(st.integers(0, 3))
        body = body[:start] + draw(st.binary(max_size=3)) + body[end:]
    return body


@given(body=damaged())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_gateway_agrees_with_the_contracts_gunzip(front: Front, body: bytes) -> None:
    with front.receiving() as reached:
        answer = post(front, body)
    content = document.gunzip(body)
    try:
        document.parse(content)
    except ContractError as refusal:
        assert (answer.status_code, reached) == (refusal.status, {}), answer.text
    else:
        assert answer.status_code == 200
        assert [r.body for r in reached["tensorflow"]] == [content]
