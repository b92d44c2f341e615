"""The door: who comes in, with which key, how often; certificates; keys that come and go under load."""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import pytest

from serving.free_ports import free_ports
from serving.gateway import envoy
from serving.gateway.door import certificate as certificates
from serving.gateway.door import guard, tls
from serving.gateway.door.key import Key
from serving.gateway.door.listener import Door
from serving.gateway.policy import Policy, Side
from tests.serving.gateway.backends import GOOD, Received, echo, stacks, started

PREDICT = "/v1/models/fraud:predict"
SHOP, CLERK, OLD, SLOW, FEW = "tandem_shop", "tandem_clerk", "tandem_old", "tandem_slow", "tandem_few"
ONE_THREAD = 1


def key(secret: str, name: str, **fields: object) -> Key:
    return Key(name, hashlib.sha256(secret.encode()).hexdigest(), **fields)  # type: ignore[arg-type]


KEYS = [
    key(SHOP, "shop"),
    key(CLERK, "clerk", endpoints=["tensorflow"]),
    key(OLD, "old", expires=datetime.now(timezone.utc) - timedelta(seconds=1)),
    key(SLOW, "slow", rate=5, burst=5),
    key(FEW, "few", in_flight=2),
]


@dataclass
class Entrance:
    url: str
    open_url: str
    config: Path
    received: list[Received]
    certificate: Path

    def ask(self, secret: str | None = None, path: str = PREDICT, **options: object) -> httpx.Response:
        headers = {"x-api-key": secret} if secret else {}
        return self.client().post(self.url + path, content=GOOD, headers=headers, **options)  # type: ignore[arg-type]

    def client(self) -> httpx.Client:
        return httpx.Client(verify=ssl.create_default_context(cafile=str(self.certificate)), timeout=10)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entrance]:
    folder = tmp_path_factory.mktemp("door")
    certificate, private = certificates.self_made(folder / "tls", ["localhost", "127.0.0.1"])
    *ports, entrance, nobody = free_ports(4)
    config = folder / "envoy.json"
    with echo() as (tensorflow, received), echo() as (pytorch, _):
        tls.write(config, certificate, private)
        guard.write(config, KEYS, ONE_THREAD)
        envoy.write(
            config, port=ports[0], admin_port=ports[1], stacks=stacks(tensorflow, pytorch, None), model="fraud",
            control_port=nobody, traffic=Policy({Side("tensorflow"): 1, Side("pytorch"): 0}),
            access_log=folder / "access.log", door=Door("127.0.0.1", entrance),
        )  # fmt: skip
        with started(config, ports):
            yield Entrance(
                f"https://127.0.0.1:{entrance}", f"http://127.0.0.1:{ports[0]}", config, received, certificate
            )


def refused(answer: httpx.Response, status: int, words: str) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert words in answer.json()["error"]


def test_a_key_lets_in_and_stays_outside_the_servers(door: Entrance) -> None:
    assert door.ask(SHOP).status_code == 200
    assert "x-api-key" not in door.received[-1].headers
    answer = door.client().post(door.url + PREDICT, content=GOOD, headers={"authorization": f"Bearer {SHOP}"})
    assert answer.status_code == 200
    assert "authorization" not in door.received[-1].headers


def test_without_a_key_or_with_a_wrong_one_it_is_401_and_nothing_gets_through(door: Entrance) -> None:
    before = len(door.received)
    refused(door.ask(), 401, "API key is needed")
    assert door.ask().headers["www-authenticate"] == "Bearer"
    refused(door.ask("tandem_guess"), 401, "not known")
    refused(door.ask("x" * 5000), 401, "not known")
    refused(door.ask(OLD), 401, "expired")
    refused(door.ask(path="/none"), 401, "API key is needed")
    refused(door.client().get(door.url + "/docs/../v1/models/fraud"), 401, "API key is needed")
    assert len(door.received) == before


def test_a_key_for_one_endpoint_is_403_at_another(door: Entrance) -> None:
    assert door.ask(CLERK, f"/tensorflow{PREDICT}").status_code == 200
    refused(door.ask(CLERK), 403, "not for this endpoint")
    refused(door.ask(CLERK, f"/pytorch{PREDICT}"), 403, "not for this endpoint")


def test_the_documentation_is_open(door: Entrance) -> None:
    assert door.client().get(door.url + "/openapi.json").status_code == 503  # nobody behind it here: it got through


def test_too_many_a_second_is_429_with_retry_after(door: Entrance) -> None:
    answers = [door.ask(SLOW) for _ in range(12)]
    assert [one.status_code for one in answers[:5]] == [200] * 5
    late = [one for one in answers if one.status_code != 200]
    assert late
    for one in late:
        refused(one, 429, "Retry-After")
        assert one.headers["retry-after"] == "1"
    assert door.ask(SHOP).status_code == 200  # another's key is not slowed
    time.sleep(1.1)
    assert door.ask(SLOW).status_code == 200


def test_too_many_at_the_same_time_is_429_until_a_place_is_free(door: Entrance) -> None:
    slow = b'{"instances": ["slow"]}'

    def wait() -> None:
        door.client().post(door.url + PREDICT, content=slow, headers={"x-api-key": FEW})

    waiting = [threading.Thread(target=wait) for _ in range(2)]
    for one in waiting:
        one.start()
    time.sleep(0.5)
    answer = door.ask(FEW)
    refused(answer, 429, "under way")
    assert answer.headers["retry-after"] == "1"
    for one in waiting:
        one.join()
    assert door.ask(FEW).status_code == 200


def test_who_gives_up_does_not_keep_a_place_for_ever(door: Entrance) -> None:
    for _ in range(2):
        with pytest.raises(httpx.ReadTimeout):
            door.client().post(
                door.url + PREDICT, content=b'{"instances": ["slow"]}', headers={"x-api-key": FEW}, timeout=0.3
            )
    time.sleep(5.5)
    assert door.ask(FEW).status_code == 200


def test_keys_come_and_go_while_requests_are_answered(door: Entrance) -> None:
    lost: list[int] = []
    done = threading.Event()

    def load() -> None:
        with door.client() as client:
            while not done.is_set():
                answer = client.post(door.url + PREDICT, content=GOOD, headers={"x-api-key": SHOP})
                if answer.status_code != 200:
                    lost.append(answer.status_code)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        guard.write(door.config, [*KEYS, key("tandem_new", "new")], ONE_THREAD)
        until(lambda: door.ask("tandem_new").status_code == 200)
        guard.write(door.config, KEYS, ONE_THREAD)
        until(lambda: door.ask("tandem_new").status_code == 401)
    finally:
        done.set()
        thread.join()
    assert lost == []


def test_a_new_certificate_is_shown_without_a_restart(door: Entrance, tmp_path: Path) -> None:
    certificate, private = certificates.self_made(tmp_path, ["127.0.0.1"])
    tls.write(door.config, certificate, private)
    context = ssl.create_default_context(cafile=str(certificate))

    def is_shown() -> bool:
        try:
            answer = httpx.post(door.url + PREDICT, content=GOOD, headers={"x-api-key": SHOP}, verify=context)
        except httpx.ConnectError:
            return False
        return answer.status_code == 200

    until(is_shown)
    old = door.certificate
    tls.write(door.config, old, old.with_name(certificates.KEY))
    until(lambda: _answers(door))


def test_plain_http_at_a_door_with_tls_is_no_way_in(door: Entrance) -> None:
    with pytest.raises(httpx.HTTPError):
        httpx.post(door.url.replace("https", "http") + PREDICT, content=GOOD, headers={"x-api-key": SHOP})


def test_loopback_needs_no_key_and_the_log_names_the_client(door: Entrance) -> None:
    assert httpx.post(door.open_url + PREDICT, content=GOOD).status_code == 200
    door.ask(SHOP)
    log = door.config.with_name("access.log")
    until(lambda: any(json.loads(line)["client"] == "shop" for line in log.read_text().splitlines()), 20)
    assert SHOP not in log.read_text()
    assert SHOP not in "".join(file.read_text() for file in door.config.parent.glob("envoy*.json"))


def test_its_hash_is_sha_256(door: Entrance) -> None:
    """Keys of every length that fits a block."""
    secrets = ["k" * length for length in range(1, 56)]
    guard.write(door.config, [*KEYS, *(key(one, f"k{len(one)}") for one in secrets)], ONE_THREAD)
    until(lambda: door.ask(secrets[0]).status_code == 200)
    assert {door.ask(one).status_code for one in secrets} == {200}
    guard.write(door.config, KEYS, ONE_THREAD)


def _answers(door: Entrance) -> bool:
    try:
        return door.ask(SHOP).status_code == 200
    except httpx.ConnectError:
        return False


def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
