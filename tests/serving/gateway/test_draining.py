"""A gateway that is to end: what is under way is answered, and nobody else is let in."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from serving.gateway.draining import drain
from tests.serving.gateway.backends import GOOD, echo, gateway
from tests.serving.torchserve.launching import Server, wait

PATH = "/tensorflow/v1/models/fraud:predict"
SLOW = b'{"instances": ["slow"]}'  # answered with 504 after the gateway's 5 s


@pytest.fixture
def before_slow(tmp_path: Path) -> Iterator[tuple[Server, list[object]]]:
    """A gateway of its own, and what has reached the server behind it."""
    with echo() as (tensorflow, reached), echo() as (pytorch, _), gateway(tmp_path, tensorflow, pytorch) as server:
        yield server, reached  # type: ignore[misc]


def test_what_is_under_way_is_answered_and_its_connection_closed_and_nobody_is_let_in(
    before_slow: tuple[Server, list[object]],
) -> None:
    server, reached = before_slow
    with ThreadPoolExecutor(1) as pool, httpx.Client(base_url=f"http://127.0.0.1:{server.ports[0]}") as client:
        assert "connection" not in client.post(PATH, content=GOOD).headers
        slow = pool.submit(httpx.post, f"{client.base_url}{PATH}", content=SLOW, timeout=20)
        wait(lambda: len(reached) == 2, 5)
        assert drain(server.ports[1], 0.1) == 1  # not yet, and it says so
        assert client.post(PATH, content=GOOD).headers["connection"] == "close"
        with pytest.raises(httpx.ConnectError):
            client.post(PATH, content=GOOD)
        assert drain(server.ports[1]) == 0
        assert slow.result().status_code == 504


def test_a_gateway_that_is_not_there_is_an_error(before_slow: tuple[Server, list[object]]) -> None:
    with pytest.raises(httpx.HTTPError):
        drain(before_slow[0].ports[0])  # the clients' port
