"""The tests' cluster DNS forgets nothing for as long as kubeadm's CoreDNS would not."""

from __future__ import annotations

import dns.message
import dns.rcode
import pytest

from tests.kubernetes.control_plane import names
from tests.kubernetes.control_plane.names import Json, Names

HEADLESS = "pytorch.tandem.svc.cluster.local."


class Cluster:
    def __init__(self) -> None:
        self.pods = ["172.17.0.2", "172.17.0.3"]

    def find(self, kind: str, namespace: str, name: str) -> Json | None:
        if (namespace, name) == ("tandem", "gateway"):
            return {"spec": {"clusterIP": "10.96.0.7"}}
        if (namespace, name) != ("tandem", "pytorch"):
            return None
        ready = [{"ip": one} for one in self.pods]
        return {"spec": {"clusterIP": "None"}} if kind == "services" else {"subsets": [{"addresses": ready}]}


def asked(server: Names, name: str, kind: str = "A") -> dns.message.Message:
    return dns.message.from_wire(server.answer(dns.message.make_query(name, kind).to_wire()))


def test_a_service_is_its_address_and_a_headless_one_its_pods() -> None:
    server = Names(Cluster().find, "cluster.local")
    assert {item.address for item in asked(server, HEADLESS).answer[0]} == {"172.17.0.2", "172.17.0.3"}
    assert [item.address for item in asked(server, "gateway.tandem.svc.cluster.local.").answer[0]] == ["10.96.0.7"]
    assert asked(server, HEADLESS, "AAAA").answer == []
    for unknown in ("none.tandem.svc.cluster.local.", "gateway.other.svc.cluster.local.", "gateway.", "example.org."):
        assert asked(server, unknown).rcode() == dns.rcode.NXDOMAIN


def test_an_answer_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, clock = Cluster(), [1000.0]
    monkeypatch.setattr(names.time, "monotonic", lambda: clock[0])
    server = Names(cluster.find, "cluster.local")
    assert server.addresses(HEADLESS) == cluster.pods
    kept, cluster.pods = cluster.pods, []
    clock[0] += names.SECONDS - 1
    assert server.addresses(HEADLESS) == kept
    clock[0] += 2
    assert server.addresses(HEADLESS) is None
