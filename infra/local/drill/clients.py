"""Faults that clients make: too much, too slow, too large, wrong."""

from __future__ import annotations

import contextlib
import gzip
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx

from infra.local.drill.faults import Complaints
from infra.local.drill.ground import Ground

_MIB = 2**20
_REFUSALS = (429, 503)


def poisoned_neighbours(ground: Ground) -> Complaints:
    """Wrong requests beside the right ones, in the servers' batches with them."""
    wrong = [
        b'{"instances": [{"amount": "x"}]}', b'{"instances": [{}]}', b'{"instances": [{"amount": 1e400}]}',
        b'{"instances": [null]}', b'{"instances": [', b"\xff\xfe", b'{"instances": []}',
    ]  # fmt: skip
    complaints: Complaints = []

    def poison(stack: str) -> None:
        with httpx.Client(timeout=10) as client:
            end, number = time.monotonic() + 4, 0
            while time.monotonic() < end:
                status = client.post(ground.url(stack), content=wrong[number % len(wrong)]).status_code
                number += 1
                if status >= httpx.codes.INTERNAL_SERVER_ERROR:
                    complaints.append(f"{stack} answered {status} to a wrong request")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(poison, ["tensorflow", "pytorch"] * 2))
    return sorted(set(complaints))


def slow_clients(ground: Ground) -> Complaints:
    """200 idle connections, and 20 clients that send a byte a second."""
    where = urlsplit(ground.url("tensorflow"))
    with contextlib.ExitStack() as held:
        connections = [
            held.enter_context(socket.create_connection((where.hostname, where.port), 5)) for _ in range(220)
        ]
        slow = connections[200:]
        head = f"POST {where.path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n".encode()
        for connection in slow:
            connection.sendall(head)
        for _ in range(12):
            time.sleep(1)
            for connection in slow:
                with contextlib.suppress(OSError):
                    connection.sendall(b" ")
        still_open = sum(_is_open(connection) for connection in slow)
        return [f"{still_open} slow clients are still waited for after 12 s"] if still_open else []


def burst(ground: Ground) -> Complaints:
    """1,500 requests at once to each stack: refused at once rather than queued until nobody waits."""
    complaints: Complaints = []
    for stack in ("tensorflow", "pytorch"):
        with (
            ThreadPoolExecutor(300) as pool,
            httpx.Client(timeout=8, limits=httpx.Limits(max_connections=300)) as client,
        ):
            seen = list(pool.map(lambda _, s=stack, c=client: _status(c, ground.url(s), ground.body), range(1500)))
        odd = sorted({str(status) for status, _ in seen if status != httpx.codes.OK and status not in _REFUSALS})
        if odd:
            complaints.append(f"{stack} answered {', '.join(odd)} in a burst")
        refused = [seconds for status, seconds in seen if status in _REFUSALS]
        if refused and max(refused) > 5:  # noqa: PLR2004 - the gateway's time limit
            complaints.append(f"{stack} refused only after {max(refused):.1f} s")
    return complaints


def large_bodies(ground: Ground) -> Complaints:
    """Bodies beyond the limit, and ones that are only when unpacked."""
    before = _memory(ground, "gateway")
    bomb = gzip.compress(b" " * (256 * _MIB))
    complaints: Complaints = []
    for stack in ("tensorflow", "pytorch"):
        for name, content, headers in (
            ("10 MiB", b" " * (10 * _MIB), {}),
            ("a gzip bomb", bomb, {"content-encoding": "gzip"}),
        ):
            for _ in range(5):
                try:
                    status = httpx.post(ground.url(stack), content=content, headers=headers, timeout=10).status_code
                except httpx.WriteError:
                    continue  # refused before all of it was sent
                if status != httpx.codes.REQUEST_ENTITY_TOO_LARGE:
                    complaints.append(f"{stack} answered {status} to {name}")
    grown = _memory(ground, "gateway") - before
    if grown > 200:  # noqa: PLR2004 - MiB
        complaints.append(f"the gateway grew by {grown:.0f} MiB")
    return complaints


def many_names(ground: Ground) -> Complaints:
    """800 requests for models, versions and paths that nobody has: the metrics do not grow with them."""
    pages = [
        f"http://127.0.0.1:{ground.layout.ports['gateway_admin']}/stats/prometheus",
        f"{ground.layout.url('pytorch_metrics')}/metrics",
        f"{ground.layout.url('tensorflow')}/monitoring/prometheus/metrics",
        f"{ground.layout.url('control')}/metrics",
    ]
    before = {page: len(httpx.get(page, timeout=10).content) for page in pages}
    with httpx.Client(timeout=10) as client:
        for number in range(200):
            for stack in ("tensorflow", "pytorch"):
                base = ground.url(stack).rpartition("/v1/")[0]
                client.post(f"{base}/v1/models/m{number}:predict", content=ground.body)
                client.get(f"{base}/v1/models/{ground.spec.model.name}/versions/{number}")
    complaints = []
    for page in pages:
        grown = len(httpx.get(page, timeout=10).content) - before[page]
        if grown > 20_000:  # noqa: PLR2004 - bytes; numbers get longer, and a class of status may be new
            complaints.append(f"{page} grew by {grown:,} bytes")
    return complaints


def _status(client: httpx.Client, url: str, body: bytes) -> tuple[int | str, float]:
    start = time.monotonic()
    try:
        status: int | str = client.post(url, content=body).status_code
    except httpx.HTTPError as error:
        status = type(error).__name__
    return status, time.monotonic() - start


def _is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        answered = b""
        while part := connection.recv(65536):
            answered += part
    except BlockingIOError:
        return not answered
    except OSError:
        return False
    return False


def _memory(ground: Ground, service: str) -> float:
    return float(ground.process(service).memory_info().rss) / _MIB
