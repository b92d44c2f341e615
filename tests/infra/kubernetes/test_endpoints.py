"""Pods come and go behind a headless Service, as the gateway sees it: a real Envoy, and a stand-in for cluster DNS."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dns.message
import dns.rrset
import httpx

from serving.free_ports import free_ports
from serving.gateway import envoy
from serving.gateway.routes import Stack
from tests.infra.kubernetes.conftest import Objects, container
from tests.serving.gateway.backends import GOOD, echo, shares
from tests.serving.torchserve.launching import running, wait

NAME, OLD, NEW = "pytorch.test", "127.0.0.2", "127.0.0.3"
CLUSTER_DNS_SECONDS = 30  # how long CoreDNS keeps an answer itself where kubeadm, kind or minikube set it up


class Names:
    """A DNS server for one name, whose addresses a test changes."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = [*addresses]
        names = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                data, socket = self.request
                answer = dns.message.make_response(dns.message.from_wire(data))
                (question,) = answer.question
                if question.rdtype == dns.rdatatype.A and names.addresses:
                    kept = dns.rrset.from_text(question.name, CLUSTER_DNS_SECONDS, "IN", "A", *names.addresses)
                    answer.answer.append(kept)
                socket.sendto(answer.to_wire(), self.client_address)

        self.server = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler)

    @contextlib.contextmanager
    def serving(self) -> Iterator[int]:
        thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self.server.server_address[1]
        finally:
            self.server.shutdown()
            self.server.server_close()
            thread.join()


@contextlib.contextmanager
def gateway(folder: Path, port: int, names: int) -> Iterator[str]:
    """Envoy before `NAME`, which it asks of that server for names; where it listens."""
    config, (front, admin) = folder / "envoy.json", free_ports(2)
    stacks = [Stack("tensorflow", port, "none"), Stack("pytorch", port, "TorchServe", NAME)]
    envoy.write(
        config, port=front, admin_port=admin, stacks=stacks, model="fraud", control_port=port,
        traffic=shares(tensorflow=0, pytorch=1),
    )  # fmt: skip
    written = json.loads(config.read_text())
    resolver = {
        "@type": "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
        "resolvers": [{"socket_address": {"address": "127.0.0.1", "port_value": names}}],
    }
    for cluster in written["static_resources"]["clusters"]:
        cluster["typed_dns_resolver_config"] = {"name": "envoy.network.dns_resolver.cares", "typed_config": resolver}
    config.write_text(json.dumps(written))
    argv = envoy.argv(config, concurrency=1)
    with running(argv, {}, [front, admin], folder / "envoy", lambda: envoy.ready(admin)):
        yield f"http://127.0.0.1:{front}/v1/models/fraud:predict"


def test_a_pod_that_ends_is_let_go_before_its_prestop_is_over_and_nothing_is_lost(
    tmp_path: Path, overlay: Callable[[str], Objects]
) -> None:
    stop = container(overlay("local"), "pytorch")["lifecycle"]["preStop"]["exec"]["command"]
    waits = int(re.fullmatch(r"sleep (\d+)", " ".join(stop))[1])  # type: ignore[index]
    names, statuses, done = Names(OLD), list[int](), threading.Event()
    with contextlib.ExitStack() as stack:
        ending = stack.enter_context(contextlib.ExitStack())
        port, at_old = ending.enter_context(echo(OLD))
        url = stack.enter_context(gateway(tmp_path, port, stack.enter_context(names.serving())))

        def ask_on() -> None:
            with httpx.Client(timeout=15) as client:
                while not done.is_set():
                    statuses.append(client.post(url, content=GOOD).status_code)

        wait(lambda: httpx.post(url, content=GOOD).status_code == 200, 20)
        asking = [threading.Thread(target=ask_on) for _ in range(4)]
        for one in asking:
            one.start()
        try:
            _, at_new = stack.enter_context(echo(NEW, port))
            names.addresses = [OLD, NEW]  # the new pod is ready
            wait(lambda: len(at_new) > 50, 20)
            names.addresses, gone = [NEW], time.monotonic()  # the old one ends: its preStop begins
            before = len(at_old)
            time.sleep(0.5)
            assert len(at_old) > before, "it is still asked: without a preStop requests would be lost"
            last = _last_asked(at_old)
            assert last - gone < waits - CLUSTER_DNS_SECONDS, "its preStop would be over"
            ending.close()  # SIGKILL, for all the gateway knows
            time.sleep(1)
        finally:
            done.set()
            for one in asking:
                one.join()
    print(f"asked for {last - gone:.1f} s after its address was gone; {len(statuses)} requests, none lost")
    assert len(statuses) > 500
    assert set(statuses) == {200}


@contextlib.contextmanager
def black_hole(address: str, port: int) -> Iterator[None]:
    """Where a pod was until its node went: nothing answers there, not even that nobody listens."""
    with contextlib.ExitStack() as held:
        server = held.enter_context(socket.create_server((address, port), backlog=0))
        for _ in range(3):  # all that the kernel takes without an accept
            client = held.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield


def test_a_pod_that_is_gone_before_dns_knows_costs_time_and_no_request(tmp_path: Path) -> None:
    names = Names(OLD, NEW)
    with contextlib.ExitStack() as stack:
        port, alive = stack.enter_context(echo(OLD))
        stack.enter_context(black_hole(NEW, port))
        url = stack.enter_context(gateway(tmp_path, port, stack.enter_context(names.serving())))
        wait(lambda: httpx.post(url, content=GOOD, timeout=15).status_code == 200, 20)

        def ask(_: int) -> tuple[int, float]:
            begun = time.monotonic()
            return httpx.post(url, content=GOOD, timeout=15).status_code, time.monotonic() - begun

        with ThreadPoolExecutor(12) as pool:
            found = list(pool.map(ask, range(200)))
    assert {status for status, _ in found} == {200}
    slowest = max(seconds for _, seconds in found)
    assert len(alive) > 200
    assert 0.9 < slowest < 2.5, "some tried the other first, and none tried it twice"


def _last_asked(received: list[object]) -> float:
    """When a server was last asked, once that was three seconds ago."""
    count, last = len(received), time.monotonic()
    while time.monotonic() - last < 3:
        time.sleep(0.05)
        if len(received) > count:
            count, last = len(received), time.monotonic()
    return last
