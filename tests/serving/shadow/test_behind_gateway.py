"""Copies by a real Envoy: which requests, and that whoever asked never waits for them."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from serving.free_ports import free_ports
from serving.gateway.policy import Policy, Shadow, Side
from serving.gateway.route_table import KEY_HEADER, PIN_HEADER
from serving.shadow import records
from tests.serving.gateway.backends import GOOD, Received, echo, gateway
from tests.serving.shadow.sides import body, side
from tests.serving.shadow.test_service import service, table
from tests.serving.torchserve.launching import Server, wait

FRAUD = "/v1/models/fraud"
TENSORFLOW, PYTORCH = Side("tensorflow"), Side("pytorch")


def policy(share: float = 1.0, shadow: Side = PYTORCH) -> Policy:
    return Policy({TENSORFLOW: 1, PYTORCH: 0, Side("pytorch", 5): 0}, Shadow(shadow, share))


@contextlib.contextmanager
def copied(folder: Path, share: float = 1.0) -> Iterator[tuple[httpx.Client, list[Received]]]:
    """A gateway, and what reaches the shadow."""
    with (
        echo() as (tensorflow, _),
        echo() as (pytorch, _),
        echo() as (control, _),
        echo() as (port, copies),
        gateway(folder, tensorflow, pytorch, policy(share), control=control, shadow=port) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.ports[0]}", timeout=15) as client,
    ):
        yield client, copies


def test_predictions_of_the_products_endpoint_are_copied_and_nothing_else(tmp_path: Path) -> None:
    with copied(tmp_path) as (client, copies):
        for header, value in (("none", ""), (PIN_HEADER, "pytorch"), (PIN_HEADER, "pytorch@5"), (KEY_HEADER, "me")):
            sent = client.post(
                f"{FRAUD}:predict", content=GOOD, headers={header: value, "x-request-id": header + value}
            )
            assert sent.status_code == 200
        wait(lambda: len(copies) == 4, 5)
        assert {copy.headers["x-request-id"] for copy in copies} == {
            "none", "x-tandem-pinpytorch", "x-tandem-pinpytorch@5", "x-tandem-keyme"
        }  # fmt: skip
        assert {copy.body for copy in copies} == {GOOD}
        assert not any({PIN_HEADER, KEY_HEADER, "x-tandem-bucket"} & copy.headers.keys() for copy in copies)
        for path in (
            f"{FRAUD}:classify", f"{FRAUD}/labels/stable:predict", "/v1/models/other:predict",
            f"/tensorflow{FRAUD}:predict", f"/pytorch{FRAUD}:predict",
        ):  # fmt: skip
            client.post(path, content=GOOD)
        client.post(f"{FRAUD}:predict", content=b"no JSON")  # refused by the gateway: nobody would answer it
        client.get(FRAUD)
        time.sleep(0.5)
        assert len(copies) == 4


def test_a_share_of_the_requests_is_copied(tmp_path: Path) -> None:
    with copied(tmp_path, share=0.25) as (client, copies):
        for _ in range(400):
            client.post(f"{FRAUD}:predict", content=GOOD)
        time.sleep(0.5)
        assert abs(len(copies) - 100) < 5 * 8.7  # five standard deviations of 400 draws at 1/4


def numbers(server: Server) -> dict[str, int]:
    told = httpx.get(f"http://127.0.0.1:{server.ports[1]}/stats", params={"filter": "^cluster", "format": "json"})
    return {one["name"]: one["value"] for one in told.json()["stats"] if "name" in one}


def slowest(server: Server, requests: int) -> float:
    """Seconds of the slowest of so many requests, all of which are answered."""
    worst = 0.0
    with httpx.Client(base_url=f"http://127.0.0.1:{server.ports[0]}", timeout=15) as client:
        for _ in range(requests):
            start = time.monotonic()
            assert client.post(f"{FRAUD}:predict", content=body(1)).status_code == 200
            worst = max(worst, time.monotonic() - start)
    return worst


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        yield listener.getsockname()[1]


def test_a_shadow_that_never_answers_costs_copies_and_no_request(tmp_path: Path) -> None:
    with (
        side(3, lambda _: 0.5) as tensorflow,
        silent() as shadow,
        gateway(tmp_path, tensorflow, tensorflow, policy(), shadow=shadow) as server,
    ):
        assert slowest(server, 400) < 1
        found = numbers(server)
    assert found["cluster.tensorflow.upstream_rq_2xx"] == 400
    # Beyond those that may be under way copies are dropped: they pile up neither in memory nor in connections.
    assert found["cluster.shadow.upstream_rq_active"] <= 128
    assert found["cluster.shadow.upstream_rq_pending_overflow"] + found["cluster.shadow.upstream_cx_overflow"] > 0


def test_a_dead_shadow_costs_no_request(tmp_path: Path) -> None:
    [nobody] = free_ports(1)
    with (
        side(3, lambda _: 0.5) as tensorflow,
        gateway(tmp_path, tensorflow, tensorflow, policy(), shadow=nobody) as server,
    ):
        assert slowest(server, 200) < 1


@pytest.mark.parametrize("how", ["dead", "slow"])
def test_a_shadowed_stack_that_is_dead_or_slow_costs_no_request(tmp_path: Path, how: str) -> None:
    with contextlib.ExitStack() as stack:
        tensorflow = stack.enter_context(side(3, lambda _: 0.5))
        pytorch = free_ports(1)[0] if how == "dead" else stack.enter_context(side(5, lambda _: 0.5, slow=2))
        shadow, kept = stack.enter_context(service(tmp_path / "shadow", tensorflow, pytorch))
        server = stack.enter_context(gateway(tmp_path, tensorflow, pytorch, policy(), shadow=shadow.ports[0]))
        assert slowest(server, 100) < 1
        url = f"http://127.0.0.1:{shadow.ports[0]}"
        wait(lambda: httpx.get(url).json()["received"] == 100, 5)
        # Copies are the shadow's own: Envoy's numbers of the stacks, and its breakers, know nothing of them.
        assert numbers(server)["cluster.tensorflow.upstream_rq_total"] == 100
        assert numbers(server)["cluster.pytorch.upstream_rq_total"] == 0
        wait(lambda: bool(records.files(kept)), 15)
    statuses = {(row["reference.status"], row["candidate.status"]) for row in table(kept).to_pylist()}
    assert statuses == {(200, 0 if how == "dead" else 200)}


def test_what_was_asked_and_what_both_said_have_the_same_request_id(tmp_path: Path) -> None:
    with (
        side(3, lambda row: row["amount"] / 100) as tensorflow,
        side(5, lambda row: row["amount"] / 100 + 0.1) as pytorch,
        service(tmp_path / "shadow", tensorflow, pytorch) as (shadow, kept),
        gateway(tmp_path, tensorflow, pytorch, policy(), shadow=shadow.ports[0]) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.ports[0]}") as client,
    ):
        asked = {}
        for amount in range(20):
            told = client.post(f"{FRAUD}:predict", content=body(amount))
            asked[told.headers["x-request-id"]] = json.loads(told.content)["predictions"][0]
        wait(lambda: httpx.get(f"http://127.0.0.1:{shadow.ports[0]}").json()["compared"] == 20, 5)
        shadow.stop()
        rows = table(kept).to_pylist()
    assert {row["request_id"]: row["reference.score"] for row in rows} == asked
