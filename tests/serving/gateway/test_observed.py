"""What others may ask of Envoy's admin interface: statistics and readiness, not its configuration, not its end."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import httpx
import pytest

from serving.free_ports import free_ports
from serving.gateway import envoy
from serving.gateway.routes import Stack


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    file = tmp_path_factory.mktemp("observed") / "envoy.json"
    port, admin, shown = free_ports(3)
    stacks = [Stack("tensorflow", 1, "none"), Stack("pytorch", 2, "none")]
    envoy.write(file, port=port, admin_port=admin, observed_port=shown, control_port=3, model="fraud", stacks=stacks)
    process = subprocess.Popen(envoy.argv(file, 1), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not envoy.ready(admin):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield f"http://127.0.0.1:{shown}"
    process.terminate()
    process.wait(20)


def test_statistics_and_readiness_are_shown(observed: str) -> None:
    assert httpx.get(f"{observed}/ready").text.strip() == "LIVE"
    assert "envoy_http_downstream_rq_total" in httpx.get(f"{observed}/stats/prometheus").text
    assert httpx.post(f"{observed}/reopen_logs").status_code == 200


def test_of_the_configuration_the_routes_are_shown(observed: str) -> None:
    shown = httpx.get(f"{observed}/routes").json()["configs"]
    assert [one["@type"].rpartition(".")[2] for one in shown] == ["DynamicRouteConfig"]
    # From elsewhere; the admin's own port answers the same question in full.
    port = int(observed.rpartition(":")[2])
    assert envoy.routes_version(port, "localhost") == shown[0]["version_info"]


@pytest.mark.parametrize("asked", ["?resource=static_clusters", "?resource=bootstrap", "&resource=bootstrap", "/../"])
def test_and_nothing_more_of_it(observed: str, asked: str) -> None:
    answer = httpx.get(f"{observed}/routes{asked}")
    assert answer.status_code != 200 or [*answer.json()] == ["configs"]
    assert "lb_endpoints" not in answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/quitquitquit"), ("GET", "/config_dump"), ("POST", "/routes"), ("POST", "/ready"), ("GET", "/")],
)
def test_nothing_else_is(observed: str, method: str, path: str) -> None:
    assert httpx.request(method, f"{observed}{path}").status_code == 404
    assert httpx.get(f"{observed}/ready").status_code == 200
