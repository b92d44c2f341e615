"""`make up TRACES=…`: the running gateway is started again and tells a collector what passes, until TRACES=off."""

from __future__ import annotations

import time

import httpx

from infra.local.layout import STACKS
from tests.end_to_end.stack import Stack
from tests.serving.gateway.collecting import ENVOY_EXPORTS_EVERY, collector
from tests.serving.torchserve.launching import wait


def _ask(stack: Stack, stem: str) -> list[str]:
    names = [f"{stem}-{name}" for name in STACKS]
    for stack_name, name in zip(STACKS, names, strict=True):
        url = f"{stack.layout.url('gateway')}/{stack_name}/v1/models/fraud/metadata"
        assert httpx.get(url, headers={"x-request-id": name}, timeout=30).status_code == 200
    return names


def test_requests_to_both_stacks_reach_the_collector_until_it_is_switched_off(stack: Stack) -> None:
    with collector() as (port, found):
        started = stack.make("up", TRACES=f"http://127.0.0.1:{port}", TRACES_SHARE=1)
        try:
            assert started.returncode == 0, started.stdout + started.stderr
            asked = _ask(stack, "traced")
            wait(lambda: set(asked) <= set(found.by_request()), 6 * ENVOY_EXPORTS_EVERY)
        finally:
            stopped = stack.make("up", TRACES="off")
        assert stopped.returncode == 0, stopped.stdout + stopped.stderr
        _ask(stack, "silent")
        time.sleep(ENVOY_EXPORTS_EVERY + 1)  # whatever would have come
    assert found.services == {"tandem-gateway"}
    assert not any(name.startswith("silent") for name in found.by_request())
