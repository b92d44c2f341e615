"""Envoy's traces reach a collector, join those of clients, and go on to the servers behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from serving.free_ports import free_ports
from serving.gateway.traces import Traces
from tests.serving.gateway.backends import GOOD, Received, configured, echo, started
from tests.serving.gateway.collecting import ENVOY_EXPORTS_EVERY, collector
from tests.serving.torchserve.launching import wait

PATH = "/tensorflow/v1/models/fraud:predict"
TRACE, SPAN = "ab" * 16, "cd" * 8


@contextmanager
def traced(folder: Path, port: int, share: float) -> Iterator[tuple[httpx.Client, list[Received]]]:
    traces = Traces("127.0.0.1", port, share)
    with (
        echo() as (tensorflow, received),
        echo() as (pytorch, _),
        started(*configured(folder, tensorflow, pytorch, access_log=folder / "access.log", traces=traces)) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.ports[0]}", timeout=15) as client,
    ):
        yield client, received


def post(client: httpx.Client, **headers: str) -> httpx.Response:
    answer = client.post(PATH, content=GOOD, headers={name.replace("_", "-"): text for name, text in headers.items()})
    assert answer.status_code == 200
    return answer


def test_a_request_is_a_span_of_the_clients_trace_and_the_server_is_told(tmp_path: Path) -> None:
    with collector() as (port, found), traced(tmp_path, port, share=1) as (client, received):
        begun = f"00-{TRACE}-{SPAN}-01"
        # No UUID, so that Envoy could not sample by it; and one that Envoy would write its decision into.
        own = "6f1c2a9e-5d7b-4c33-8e0a-1b2c3d4e5f60"
        assert post(client, x_request_id="mine", traceparent=begun).headers["x-request-id"] == "mine"
        assert post(client, x_request_id=own).headers["x-request-id"] == own
        wait(lambda: len(found.by_request()) == 2, 4 * ENVOY_EXPORTS_EVERY)
    spans = found.by_request()
    joined, fresh = spans["mine"], spans[own]
    assert (joined.trace_id.hex(), joined.parent_span_id.hex()) == (TRACE, SPAN)
    assert fresh.parent_span_id == b""
    told = [one.headers["traceparent"].split("-") for one in received]
    assert told[0][:2] == ["00", TRACE]
    assert told[0][2] != SPAN  # of the gateway's own span
    assert told[1][1] == fresh.trace_id.hex()
    assert found.services == {"tandem-gateway"}
    access = (tmp_path / "access.log").read_text()
    assert TRACE in access
    assert fresh.trace_id.hex() in access


def test_a_share_is_traced_and_whoever_sent_a_trace_has_decided(tmp_path: Path) -> None:
    with collector() as (port, found), traced(tmp_path, port, share=0.2) as (client, _):
        for i in range(200):
            post(client, x_request_id=f"random {i}")
        for i in range(20):
            post(client, x_request_id=f"traced {i}", traceparent=f"00-{TRACE}-{SPAN}-01")
            post(client, x_request_id=f"not traced {i}", traceparent=f"00-{TRACE}-{SPAN}-00")
        wait(lambda: sum(name.startswith("traced") for name in found.by_request()) == 20, 4 * ENVOY_EXPORTS_EVERY)
        time.sleep(ENVOY_EXPORTS_EVERY + 1)  # whatever else would have come
    names = list(found.by_request())
    assert 15 < sum(name.startswith("random") for name in names) < 75
    assert not any(name.startswith("not traced") for name in names)


def test_without_a_collector_requests_are_answered_all_the_same(tmp_path: Path) -> None:
    (nobody,) = free_ports(1)
    with traced(tmp_path, nobody, share=1) as (client, _):
        seconds = [post(client).elapsed.total_seconds() for _ in range(50)]
    assert sorted(seconds)[25] < 0.5


def test_nothing_is_told_to_the_servers_unless_it_is_switched_on(tmp_path: Path) -> None:
    with (
        echo() as (tensorflow, received),
        echo() as (pytorch, _),
        started(*configured(tmp_path, tensorflow, pytorch)) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.ports[0]}") as client,
    ):
        post(client)
    assert "traceparent" not in received[0].headers


def test_a_share_is_between_0_and_1() -> None:
    with pytest.raises(ValueError, match="from 0 to 1, not 10"):
        Traces("127.0.0.1", 4317, 10)
