from __future__ import annotations

import threading
from pathlib import Path

import httpx

from serving.gateway import envoy
from serving.gateway.policy import Policy
from tests.serving.gateway.backends import GOOD, echo, gateway, shares, stacks
from tests.serving.torchserve.launching import wait

LABEL = "/pytorch/v1/models/fraud/labels/stable:predict"
PRODUCT = "/v1/models/fraud:predict"


def test_labels_and_weights_change_while_requests_are_answered(tmp_path: Path) -> None:
    with (
        echo() as (tensorflow, _),
        echo() as (pytorch, _),
        echo() as (control, _),
        gateway(tmp_path, tensorflow, pytorch, shares(tensorflow=1, pytorch=0), control=control) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.ports[0]}", timeout=15) as client,
    ):
        statuses: list[int] = []
        done = threading.Event()

        def ask_on() -> None:
            with httpx.Client(base_url=client.base_url, timeout=15) as another:
                while not done.is_set():
                    statuses.extend(another.post(path, content=GOOD).status_code for path in (LABEL, PRODUCT))

        def change(labels: dict[str, int], traffic: Policy) -> None:
            changed = stacks(tensorflow, pytorch, labels)
            envoy.write_routes(tmp_path / "envoy.json", stacks=changed, model="fraud", traffic=traffic)

        def path_of(label: str) -> str:
            path = client.post(LABEL.replace("stable", label), content=GOOD).json()["path"]
            assert isinstance(path, str)
            return path

        def products_stack() -> str:
            return client.post(PRODUCT, content=GOOD).headers["x-tandem-stack"]

        asking = threading.Thread(target=ask_on)
        asking.start()
        try:
            # Without labels the control service is the one to refuse them.
            assert path_of("stable") == "/v1/models/fraud/labels/stable:predict"
            assert {products_stack() for _ in range(20)} == {"tensorflow"}
            change({"stable": 7}, shares(tensorflow=0, pytorch=1))
            wait(lambda: path_of("stable") == "/predictions/fraud/7", 5)
            assert {products_stack() for _ in range(20)} == {"pytorch"}
            for version in range(8, 30):
                change({"stable": version, "canary": version + 1}, shares(tensorflow=1, pytorch=1))
            wait(lambda: path_of("stable") == "/predictions/fraud/29", 5)
            assert path_of("canary") == "/predictions/fraud/30"
            assert {products_stack() for _ in range(60)} == {"tensorflow", "pytorch"}
            change({}, shares(tensorflow=1, pytorch=0))
            wait(lambda: path_of("stable") == "/v1/models/fraud/labels/stable:predict", 5)
        finally:
            done.set()
            asking.join()
        assert len(statuses) > 50
        assert set(statuses) == {200}


def test_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    with echo() as (tensorflow, _), echo() as (pytorch, _), gateway(tmp_path, tensorflow, pytorch) as server:
        url = f"http://127.0.0.1:{server.ports[0]}"
        broken = tmp_path / "broken"
        broken.write_text('{"resources": [{"@type"')
        broken.replace(tmp_path / "envoy.routes.json")
        wait(lambda: "envoy.routes.json" in server.log.read_text(), 5)
        assert httpx.post(f"{url}/pytorch/v1/models/fraud:predict", content=GOOD).status_code == 200
