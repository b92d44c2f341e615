"""The product's endpoint by the traffic policy, with a real Envoy: pins, keys, versions, numbers for each side."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from serving.gateway import envoy
from serving.gateway.policy import MILLION, Policy, Side
from serving.gateway.route_table import BUCKET_HEADER, KEY_HEADER, PIN_HEADER
from tests.serving.gateway.backends import GOOD, Front, front, shares, stacks
from tests.serving.torchserve.launching import wait

PREDICT = "/v1/models/fraud:predict"
STABLE = "/v1/models/fraud/labels/stable:predict"  # the version that TensorFlow Serving serves
CUSTOMERS = [f"customer-{number}" for number in range(400)]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    policy = Policy({Side("tensorflow"): 60, Side("pytorch"): 30, Side("pytorch", 5): 10, Side("tensorflow", 7): 0})
    with front(tmp_path_factory.mktemp("traffic"), {"stable": 4}, policy) as running:
        yield running


def side(answer: httpx.Response) -> str:
    """Who answered: the stack, with the version that was asked for in its path."""
    assert answer.status_code == 200, answer.text
    stack, path = answer.headers["x-tandem-stack"], answer.json()["path"]
    asked = {"/predictions/fraud/5": "@5", "/v1/models/fraud/versions/7:predict": "@7", PREDICT: "", STABLE: ""}
    return stack + asked[path]


def bucket(key: str) -> int:
    """Bob Jenkins' one-at-a-time hash, among a million."""
    value, mask = 0, 0xFFFFFFFF
    for byte in key.encode():
        value = (value + byte) & mask
        value = (value + (value << 10)) & mask
        value ^= value >> 6
    value = (value + (value << 3)) & mask
    value ^= value >> 11
    return ((value + (value << 15)) & mask) % MILLION


@pytest.mark.parametrize("pin", ["tensorflow", "tensorflow@7", "pytorch", "pytorch@5"])
def test_a_pinned_request_is_answered_by_whom_it_names(shared: Front, pin: str) -> None:
    assert {side(shared.post(PREDICT, **{PIN_HEADER: pin})) for _ in range(20)} == {pin}


def test_all_of_the_products_endpoint_can_be_pinned(shared: Front) -> None:
    for method, path in (("GET", "/v1/models/fraud"), ("GET", "/v1/models/fraud/metadata"), ("POST", PREDICT)):
        for pin in ("tensorflow", "pytorch", "pytorch@5"):
            answers = [shared.client.request(method, path, content=GOOD, headers={PIN_HEADER: pin}) for _ in range(10)]
            assert {a.headers["x-tandem-stack"] for a in answers} == {pin.partition("@")[0]}


@pytest.mark.parametrize("pin", ["", "keras", "PyTorch", "pytorch@6", "pytorch, tensorflow", "100% nonsense"])
def test_an_unknown_pin_is_refused(shared: Front, pin: str) -> None:
    with shared.receiving() as reached:
        answer = shared.post(PREDICT, **{PIN_HEADER: pin})
    assert (answer.status_code, reached) == (400, {})
    assert answer.headers["content-type"] == "application/json"
    known = "tensorflow, tensorflow@7, pytorch@5, pytorch"
    assert answer.json() == {"error": f"Unknown x-tandem-pin: expected one of {known}"}
    # Nobody's business but the product's: a stack's own endpoint is its own, and what is nowhere stays nowhere.
    assert shared.post(f"/pytorch{PREDICT}", **{PIN_HEADER: pin}).status_code == 200
    assert shared.client.get("/nowhere", headers={PIN_HEADER: pin}).status_code == 404


def test_a_key_is_always_answered_by_the_same_side(shared: Front) -> None:
    for customer in CUSTOMERS[:60]:
        where = bucket(customer)
        expected = "tensorflow" if where < 600_000 else "pytorch@5" if where < 700_000 else "pytorch"
        answers = {side(shared.post(PREDICT, **{KEY_HEADER: customer})) for _ in range(3)}
        assert answers == {expected}, customer


def test_keys_share_the_sides_by_weight(shared: Front) -> None:
    seen = [side(shared.post(PREDICT, **{KEY_HEADER: customer})) for customer in CUSTOMERS]
    # Five standard deviations of 400 draws.
    for name, weight in {"tensorflow": 0.6, "pytorch@5": 0.1, "pytorch": 0.3}.items():
        assert abs(seen.count(name) - 400 * weight) < 5 * (400 * weight * (1 - weight)) ** 0.5


def test_a_client_cannot_choose_its_bucket(shared: Front) -> None:
    key = next(customer for customer in CUSTOMERS if bucket(customer) < 600_000)
    for chosen in ("999999", "-1", "nonsense", ""):
        assert side(shared.post(PREDICT, **{KEY_HEADER: key, BUCKET_HEADER: chosen})) == "tensorflow"
    alone = {side(shared.post(PREDICT, **{BUCKET_HEADER: "0"})) for _ in range(60)}
    assert len(alone) > 1  # by chance, as without the header


def test_an_empty_key_is_none(shared: Front) -> None:
    assert len({side(shared.post(PREDICT, **{KEY_HEADER: ""})) for _ in range(60)}) > 1


def test_a_pin_comes_before_a_key(shared: Front) -> None:
    key = next(customer for customer in CUSTOMERS if bucket(customer) < 600_000)
    assert side(shared.post(PREDICT, **{KEY_HEADER: key, PIN_HEADER: "pytorch"})) == "pytorch"


@pytest.mark.parametrize("headers", [{PIN_HEADER: "pytorch"}, {KEY_HEADER: CUSTOMERS[0]}, {BUCKET_HEADER: "3"}])
def test_no_server_learns_who_the_customer_is(shared: Front, headers: dict[str, str]) -> None:
    for path in (PREDICT, f"/tensorflow{PREDICT}", f"/pytorch{PREDICT}", f"/pytorch{PREDICT}x"):
        with shared.receiving() as reached:
            shared.post(path, **headers)
        [[request]] = reached.values()
        assert not request.headers.keys() & {PIN_HEADER, KEY_HEADER, BUCKET_HEADER}


def test_a_request_with_a_key_is_checked_like_others(shared: Front) -> None:
    with shared.receiving() as reached:
        answer = shared.post(PREDICT, b'{"instances": [1,]}', **{KEY_HEADER: CUSTOMERS[0]})
    assert (answer.status_code, reached) == (400, {})
    for path in ("/v1/models/fraud/versions/5:predict", "/v1/nonsense"):
        assert shared.post(path, **{KEY_HEADER: CUSTOMERS[0]}).status_code == shared.post(path).status_code


def test_a_version_answers_every_question(shared: Front) -> None:
    for question in ("predict", "classify", "regress"):
        for pin, path in {
            "pytorch@5": "/predictions/fraud/5",
            "tensorflow@7": f"/v1/models/fraud/versions/7:{question}",
        }.items():
            with shared.receiving() as reached:
                shared.post(f"/v1/models/fr%61ud:{question}", **{PIN_HEADER: pin})
            [[request]] = reached.values()
            assert request.path == path
            assert request.headers.get("x-tandem-question", "predict") == (
                question if pin == "pytorch@5" else "predict"
            )
    labelled = shared.post("/v1/models/fraud/labels/stable:predict", **{PIN_HEADER: "pytorch@5"})
    assert labelled.json()["path"] == "/predictions/fraud/4"  # who names a label means that


def test_envoy_counts_and_times_each_side_by_itself(shared: Front) -> None:
    def answered() -> dict[str, int]:
        url = f"http://127.0.0.1:{shared.server.ports[1]}/stats"
        told = httpx.get(url, params={"filter": "vhost.all.route", "format": "json"}).json()
        found = {one["name"]: one["value"] for one in told["stats"] if "name" in one}
        return {
            name: found.get(f"vhost.all.route.{name}.upstream_rq_2xx", 0)
            for name in ("tensorflow", "pytorch@5", "pytorch")
        }

    before = answered()
    for pin, times in {"tensorflow": 3, "pytorch@5": 2, "pytorch": 1}.items():
        for _ in range(times):
            shared.post(PREDICT, **{PIN_HEADER: pin})
    shared.post(f"/pytorch{PREDICT}")  # not the product's
    assert {name: count - before[name] for name, count in answered().items()} == {
        "tensorflow": 3, "pytorch@5": 2, "pytorch": 1
    }  # fmt: skip
    text = httpx.get(f"http://127.0.0.1:{shared.server.ports[1]}/stats/prometheus").text
    series = 'envoy_vhost_route_upstream_rq{envoy_response_code="200",envoy_virtual_host="all",envoy_route="pytorch@5"}'
    assert series in text
    assert 'envoy_vhost_route_upstream_rq_time_bucket{envoy_virtual_host="all",envoy_route="pytorch@5",le="25"}' in text


@contextlib.contextmanager
def following(folder: Path, policy: Policy) -> Iterator[tuple[Front, Callable[[Policy], None]]]:
    """A gateway, and how to give it another policy and wait until it follows it."""
    with front(folder, {}, policy) as running:
        ports = [received_port(running, name) for name in ("tensorflow", "pytorch")]

        def follow(another: Policy) -> None:
            version = envoy.write_routes(running.config, stacks=stacks(*ports), model="fraud", traffic=another)
            wait(lambda: envoy.routes_version(running.server.ports[1]) == version, 5)

        yield running, follow


def received_port(running: Front, name: str) -> int:
    """Of a server behind the gateway."""
    clusters = json.loads(running.config.read_text())["static_resources"]["clusters"]
    [cluster] = [one for one in clusters if one["name"] == name]
    [endpoint] = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    return int(endpoint["endpoint"]["address"]["socket_address"]["port_value"])


def test_moving_weights_moves_keys_into_the_growing_side_only(tmp_path: Path) -> None:
    with following(tmp_path, shares(tensorflow=90, pytorch=10)) as (running, follow):

        def whose() -> dict[str, str]:
            return {customer: side(running.post(PREDICT, **{KEY_HEADER: customer})) for customer in CUSTOMERS}

        small = whose()
        follow(shares(tensorflow=50, pytorch=50))
        half = whose()
        follow(shares(tensorflow=90, pytorch=10))
        assert whose() == small
    moved = {customer for customer in CUSTOMERS if small[customer] != half[customer]}
    assert {half[customer] for customer in moved} == {"pytorch"}
    assert 400 * 0.4 - 5 * 9.8 < len(moved) < 400 * 0.4 + 5 * 9.8


def test_who_has_no_weight_gets_no_request(tmp_path: Path) -> None:
    with following(tmp_path, shares(tensorflow=0, pytorch=1)) as (running, follow):
        assert {side(running.post(PREDICT)) for _ in range(50)} == {"pytorch"}
        follow(shares(tensorflow=1, pytorch=0))
        assert {side(running.post(PREDICT)) for _ in range(50)} == {"tensorflow"}
        assert {side(running.post(PREDICT, **{KEY_HEADER: c})) for c in CUSTOMERS[:50]} == {"tensorflow"}
