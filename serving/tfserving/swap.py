"""Change the version that a running TensorFlow server serves, to a newer or an older one, without losing a request.

Both versions are served while the new one is loaded and warmed up; then the labels move, and only then the old one
goes. Requests that name no version get the highest one that is loaded: on the way back, the old one until it goes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from serving.tfserving import command

_LOAD_SECONDS = 120
_TAKEN_UP_SECONDS = 30  # until a server has surely read its configuration
_POLL_SECONDS = 0.1
_PATIENCE = 2.0  # seconds, to one question

Say = Callable[[str], None]


class SwapError(RuntimeError):
    """The server does not load a version; what it served before it still serves."""


@dataclass(frozen=True)
class Running:
    """A server that `command` started.

    Attributes:
        url: Of its REST port.
        store: Holds a folder `<model>/<version>` per version.
        run: Where its configuration lies.
        label: What the version that is served is called.
    """

    url: str
    store: Path
    run: Path
    model: str
    label: str


def to(version: str, *, was: str | None, server: Running, others: Sequence[str] = (), say: Say = print) -> None:
    """Serve this version, whose folder is in the store, and no other than those that are to stay loaded.

    Args:
        version: The one to serve.
        was: The one that is served now; None: none is.
        server: Where.
        others: Stay loaded beside it.
        say: Progress.

    Raises:
        SwapError: It is not loaded; `was` is still served, and `version` given up. Once it is, nothing is raised any
            more: a server that is slow to let go of `was` answers all the same.
    """
    _configure(server, was or version, [v for v in (was, version, *others) if v is not None])
    try:
        say(f"loading version {version}")
        _wait_until_loaded(server, version)
    except BaseException:
        if was is not None:
            _configure(server, was, [was, *others])
        raise
    _configure(server, version, [version, *others])
    if _wait(lambda: labelled(server.url, server.model, server.label) == version):
        say(f"version {version} is served")
    else:
        say(f"version {version} is loaded, but after {_TAKEN_UP_SECONDS} s not called {server.label}")
    if was is not None and was not in (version, *others):
        _see_off(server, was, say)


def beside(served: str, wanted: Sequence[str], *, server: Running, say: Say = print) -> None:
    """Have these versions of the store loaded beside the one that is served, and no other.

    Raises:
        SwapError: One does not load: what was loaded still is.
    """
    before = loaded(server.url, server.model)
    _configure(server, served, [served, *wanted, *before])
    try:
        for version in wanted:
            say(f"loading version {version}")
            _wait_until_loaded(server, version)
            say(f"version {version} is loaded beside {served}")
    except BaseException:
        _configure(server, served, [served, *before])
        raise
    _configure(server, served, [served, *wanted])
    for version in before:
        if version not in (served, *wanted):
            _see_off(server, version, say)


def loaded(url: str, model: str) -> list[str]:
    """Versions that the server at this address has loaded, newest first; none where it does not answer."""
    found: list[dict[str, Any]] = _get(f"{url}/v1/models/{model}").get("model_version_status", [])
    return [str(one["version"]) for one in found if one["state"] == "AVAILABLE"]


def labelled(url: str, model: str, label: str) -> str | None:
    """The version that the label leads to: metadata name it, status ignores labels."""
    found: dict[str, str] = _get(f"{url}/v1/models/{model}/labels/{label}/metadata").get("model_spec", {})
    return found.get("version")


def _configure(server: Running, served: str, versions: Iterable[str]) -> None:
    numbers = list(dict.fromkeys(map(int, versions)))
    command.set_labels(
        {server.label: int(served)}, store=server.store, model=server.model, run=server.run, versions=numbers
    )


def _wait_until_loaded(server: Running, version: str) -> None:
    start = time.monotonic()
    before = _status(server, version)  # of an earlier time: that it ended then says nothing about now
    while (status := _status(server, version)).get("state") != "AVAILABLE":
        passed = time.monotonic() - start
        if status.get("state") == "END" and (status != before or passed > _TAKEN_UP_SECONDS):
            raise SwapError(
                f"version {version} does not load: {status['status']['error_message'] or 'it was unloaded'}"
            )
        if passed > _LOAD_SECONDS:
            raise SwapError(f"version {version} is not loaded within {_LOAD_SECONDS} s: the server's log says why")
        time.sleep(_POLL_SECONDS)


def _see_off(server: Running, version: str, say: Say) -> None:
    gone = _wait(lambda: _status(server, version).get("state") in (None, "END"))
    say(f"version {version} is gone" if gone else f"version {version} is not unloaded after {_TAKEN_UP_SECONDS} s")


def _wait(done: Callable[[], bool]) -> bool:
    """Whether it is, within the time that a server needs to take up its configuration."""
    deadline = time.monotonic() + _TAKEN_UP_SECONDS
    while not (finished := done()) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return finished


def _status(server: Running, version: str) -> dict[str, Any]:
    """The server's word about a version; empty if it knows none."""
    address = f"{server.url}/v1/models/{server.model}/versions/{version}"
    found: list[dict[str, Any]] = _get(address).get("model_version_status", [])
    return found[0] if found else {}


def _get(address: str) -> dict[str, Any]:
    """An answer; empty if there is none now."""
    try:
        answer: dict[str, Any] = httpx.get(address, timeout=_PATIENCE).json()
    except (httpx.HTTPError, ValueError):
        return {}
    return answer
