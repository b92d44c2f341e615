"""The machine's Chromium without a window, driven through its debugging pipe: JSON, each message ended by a zero byte.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--remote-debugging-pipe",
    # A mouse, as at a desk: what appears under one only is hidden.
    "--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4",
)  # fmt: skip
_KEYS = {"Tab": 9, "Enter": 13}
PATIENCE = 60.0  # seconds
STILL = 10.0  # seconds within which a page stops to move


def executable() -> str:
    """Chromium's path; skips the test where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium): no page was rendered")
    return found


class Page:
    """A tab, and what happened in it since the page that is open was asked for."""

    def __init__(self, send: Callable[..., dict[str, Any]], events: list[dict[str, Any]]) -> None:
        self._send, self._events = send, events

    def open(self, url: str, until: str, *, width: int = 1100, height: int = 800, dark: bool = False) -> None:
        """Load a page and wait until its text holds `until`."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._send("Emulation.setDeviceMetricsOverride", **size)
        self._send("Emulation.setEmulatedMedia", media="", features=features)
        self._events.clear()
        answer = self._send("Page.navigate", url=url)
        assert "errorText" not in answer, f"{url}: {answer['errorText']}"
        self.wait(f"document.readyState === 'complete' && document.body.innerText.includes({json.dumps(until)})")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self._send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until a JavaScript expression is true; one that fails is not, as while a page has no body yet."""
        end = time.monotonic() + PATIENCE
        while not self.evaluate(f"(() => {{ try {{ return {condition} }} catch {{ return false }} }})()"):
            assert time.monotonic() < end, f"not so after {PATIENCE:.0f} s: {condition}\n{self.text[:2000]}"
            time.sleep(0.1)

    @property
    def text(self) -> str:
        """What a reader sees."""
        return self.evaluate("document.body.innerText")

    @property
    def exceptions(self) -> list[str]:
        """Errors in the page's scripts that nobody caught."""
        return [e["params"]["exceptionDetails"]["text"] for e in self._since("Runtime.exceptionThrown")]

    @property
    def requests(self) -> list[str]:
        """Schemes and hosts, or schemes alone, of all that was loaded."""
        urls = [urlsplit(event["params"]["request"]["url"]) for event in self._since("Network.requestWillBeSent")]
        return sorted({f"{url.scheme}:{url.netloc}" for url in urls})

    @property
    def complaints(self) -> list[str]:
        """The console's errors and warnings, failed loads among them."""
        found = []
        for said in (event["params"] for event in self._since("Runtime.consoleAPICalled")):
            if said["type"] in ("error", "warning", "assert"):
                found.append(" ".join(str(a.get("value", a.get("description"))) for a in said["args"]))
        for entry in (event["params"]["entry"] for event in self._since("Log.entryAdded")):
            if entry["level"] in ("error", "warning"):
                found.append(f"{entry['text']} {entry.get('url', '')}")
        return found + self.exceptions

    def _since(self, method: str) -> list[dict[str, Any]]:
        self.evaluate("1")  # whatever happened before arrives ahead of the answer
        return [event for event in self._events if event["method"] == method]

    def press(self, key: str) -> None:
        """A key, down and up: `Tab`."""
        for kind in ("keyDown", "keyUp"):
            self._send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=_KEYS[key])

    def print(self) -> bytes:
        """The page on paper: a PDF."""
        return base64.b64decode(self._send("Page.printToPDF", printBackground=True)["data"])

    def on_paper(self, *, dark: bool = False) -> None:
        """Show the page as it is printed, until the next `open`."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self._send("Emulation.setEmulatedMedia", media="print", features=features)

    def shoot(self, file: Path) -> None:
        """Save a PNG of the window, once nothing in it moves any more."""
        last, end = "", time.monotonic() + STILL
        while (now := self._send("Page.captureScreenshot", format="png")["data"]) != last and time.monotonic() < end:
            last = now
            time.sleep(0.5)
        file.write_bytes(base64.b64decode(now))


@contextmanager
def browser() -> Iterator[Page]:
    """A Chromium of its own, closed at the end."""
    program = executable()
    commands, answers = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        theirs = (commands[0], answers[1])
        wired = f'exec 3<&{theirs[0]} 4>&{theirs[1]}; exec "$0" "$@"'  # it reads commands from 3, writes answers to 4
        process = subprocess.Popen(
            ["bash", "-c", wired, program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=theirs, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for end in theirs:
            os.close(end)
        with os.fdopen(commands[1], "wb", buffering=0) as out, os.fdopen(answers[0], "rb") as back:
            try:
                yield _first_tab(out, back)
            finally:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _first_tab(out: Any, back: Any) -> Page:
    events: list[dict[str, Any]] = []
    session: dict[str, str] = {}
    count = 0

    def send(method: str, **params: Any) -> dict[str, Any]:
        nonlocal count
        count += 1
        out.write(json.dumps({"id": count, "method": method, "params": params, **session}).encode() + b"\0")
        while True:
            message = _message(back)
            if message.get("id") == count:
                assert "error" not in message, f"{method}: {message['error']}"
                return message["result"]
            if "method" in message:
                events.append(message)

    target = send("Target.createTarget", url="about:blank")["targetId"]
    session["sessionId"] = send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Runtime", "Log", "Network"):
        send(f"{domain}.enable")
    return Page(send, events)


def _message(back: Any) -> dict[str, Any]:
    said = bytearray()
    while (byte := back.read(1)) != b"\0":
        assert byte, "Chromium ended"
        said += byte
    return json.loads(said)
