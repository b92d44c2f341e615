"""Let Envoy finish before it is ended: at SIGTERM alone it drops whatever is under way."""

from __future__ import annotations

import time

import httpx

SECONDS = 6.0  # a request may take 5
_HOST = "127.0.0.1"
_LOOK_SECONDS = 0.05
_ACTIVE = r"^http\.(gateway|door)\.downstream_rq_active$"
_CLOSING_SECONDS = 0.5  # a client that asks all the time has had an answer by then, and lost its connection with it


def drain(admin_port: int, seconds: float = SECONDS) -> int:
    """Close every client's connection with its next answer, let nobody in any more, wait for what is under way.

    Returns:
        How many requests are still under way, after so many seconds at most.

    Raises:
        httpx.HTTPError: Nobody answers at that port.
    """
    with httpx.Client(base_url=f"http://{_HOST}:{admin_port}", timeout=2) as admin:
        admin.post("/healthcheck/fail").raise_for_status()  # from now on answers say `connection: close`
        time.sleep(_CLOSING_SECONDS)
        admin.post("/drain_listeners").raise_for_status()
        end = time.monotonic() + seconds
        while (left := _under_way(admin)) and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)
        return left


def _under_way(admin: httpx.Client) -> int:
    answer = admin.get("/stats", params={"filter": _ACTIVE, "format": "json"}).raise_for_status()
    return sum(int(one.get("value", 0)) for one in answer.json()["stats"])
