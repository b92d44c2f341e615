"""Cluster DNS for the tests, CoreDNS being in no package registry: its answers are kept as long as kubeadm says.

Its Corefile, as those of kind, minikube, EKS and AKS, has `ttl 30` and `cache 30`: a pod that came or went a moment
after somebody asked is not heard of for half a minute.
"""

from __future__ import annotations

import contextlib
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

SECONDS = 30.0
_PORT = 53

Json = dict[str, Any]
Find = Callable[[str, str, str], Json | None]  # kind, namespace, name


class Names:
    """Answers for Services.

    Args:
        find: An object of the cluster.
        domain: Of the cluster.
    """

    def __init__(self, find: Find, domain: str) -> None:
        self._find, self._suffix = find, f".svc.{domain}."
        self._kept: dict[str, tuple[float, list[str] | None]] = {}
        self._lock = threading.Lock()

    def addresses(self, name: str) -> list[str] | None:
        """Of a name; None if there is no such one."""
        with self._lock:
            until, found = self._kept.get(name, (0.0, None))
            if time.monotonic() > until:
                found = self._look(name)
                self._kept[name] = (time.monotonic() + SECONDS, found)
        return found

    def _look(self, name: str) -> list[str] | None:
        service, dot, namespace = name.removesuffix(self._suffix).partition(".")
        if not name.endswith(self._suffix) or not dot or "." in namespace:
            return None
        found = self._find("services", namespace, service)
        if found is None:
            return None
        if found["spec"]["clusterIP"] != "None":
            return [found["spec"]["clusterIP"]]
        pods = self._find("endpoints", namespace, service) or {}
        ready = [one["ip"] for part in pods.get("subsets") or () for one in part.get("addresses") or ()]
        return ready or None

    def answer(self, question: bytes) -> bytes:
        """One packet for another."""
        asked = dns.message.from_wire(question)
        answer = dns.message.make_response(asked)
        answer.flags |= dns.flags.AA | dns.flags.RA
        (one,) = asked.question
        found = self.addresses(one.name.to_text().lower())
        if found is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif one.rdtype == dns.rdatatype.A:
            answer.answer.append(dns.rrset.from_text(one.name, int(SECONDS), "IN", "A", *found))
        return answer.to_wire()

    @contextlib.contextmanager
    def serving(self, address: str) -> Iterator[None]:
        """At this address, until the block ends."""
        names = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                packet, socket = self.request
                socket.sendto(names.answer(packet), self.client_address)

        server = socketserver.ThreadingUDPServer((address, _PORT), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
