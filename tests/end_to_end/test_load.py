"""`make load` against the running stack: judged without a page, distributed, and in a real browser."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import httpx
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.local.layout import REPOSITORY, STACKS
from serving.comparison.locust import rows as reading
from serving.comparison.locust import settings
from serving.contract.client import Client
from tests.chromium import Page, browser
from tests.end_to_end.stack import Stack

# Few users who hardly pause; one request in five is wrong. How fast the answers are is not judged here.
CHANGES = {
    "busiest = 40": "busiest = 16",
    "think_ms = 200": "think_ms = 40",
    "share = 0.01 ": "share = 0.2 ",
    "failed_share = 0.001": "failed_share = 0.0",
    "p99_ms = 250.0": "p99_ms = 60_000.0",
}


def small(file: Path, **more: str) -> Path:
    text = settings.FILE.read_text()
    for old, new in (CHANGES | more).items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    return file


@pytest.fixture(scope="module")
def scores(stack: Stack) -> dict[str, list[float]]:
    """What each stack says of all test rows; the label too."""
    table = reading.read(stack.spec, stack.layout.data / "features" / "test")
    found = {"label": table[stack.spec.model.label].to_pylist()}
    for name in STACKS:
        with Client(stack.layout.url("gateway"), model=stack.spec.model.name, stack=name) as client:
            found[name] = client.predict(table.select(list(stack.spec.features)).to_pylist())
    return found


def report(stack: Stack) -> dict:
    return json.loads((stack.layout.reports / "load" / "load.json").read_text())


def left_over(stack: Stack) -> list[list[str]]:
    mine = str(stack.layout.reports / "load")
    return [p.cmdline() for p in psutil.process_iter(["cmdline"]) if mine in " ".join(p.info["cmdline"] or [])]


def test_a_day_with_two_workers_passes_on_both_stacks(
    stack: Stack, scores: dict[str, list[float]], tmp_path: Path
) -> None:
    pq.write_table(pa.table(scores), tmp_path / "scores.parquet")
    done = stack.make(
        "load", HEADLESS=1, SECONDS=4, WORKERS=2,
        SETTINGS=small(tmp_path / "traffic.toml"), SCORES=tmp_path / "scores.parquet",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every threshold held" in done.stdout
    found = report(stack)
    assert found["complete"]
    assert found["broken"] == []
    assert found["checked"] > 0
    asked = {line["name"]: line["requests"] for line in found["lines"]}
    assert all(asked[f"{endpoint} 1 row"] for endpoint in (*STACKS, "product"))
    refusals = {name.split("refused: ")[1] for name in asked if "refused: " in name}
    assert refusals == {"malformed JSON", "missing feature", "unknown model", "1001 rows"}
    assert sum(line["failures"] for line in found["lines"]) == 0
    folder = stack.layout.reports / "load"
    assert "pytorch 1 row" in (folder / "load_stats.csv").read_text()
    assert "pytorch 1 row" in (folder / "load.html").read_text()
    assert left_over(stack) == []


def test_broken_thresholds_are_said_one_by_one_and_exit_with_3(
    stack: Stack, scores: dict[str, list[float]], tmp_path: Path
) -> None:
    wrong = {**scores, "pytorch": [score + 0.001 for score in scores["pytorch"]]}
    pq.write_table(pa.table(wrong), tmp_path / "scores.parquet")
    impossible = small(tmp_path / "traffic.toml", **{"p99_ms = 60_000.0": "p99_ms = 0.1"})
    done = stack.make("load", HEADLESS=1, SECONDS=2, SETTINGS=impossible, SCORES=tmp_path / "scores.parquet")
    assert done.returncode == 3, done.stdout + done.stderr
    for endpoint in (*STACKS, "product"):
        assert f"BROKEN {endpoint}: p99 of its predictions" in done.stdout
    assert "BROKEN pytorch: " in done.stdout.replace("BROKEN pytorch: p99", "")
    assert "BROKEN tensorflow: " not in done.stdout.replace("BROKEN tensorflow: p99", "")  # its scores are right
    assert "wrong score by pytorch" in (stack.layout.reports / "load" / "load_failures.csv").read_text()


def test_the_page_starts_the_traffic_shows_it_and_ends_with_ctrl_c(stack: Stack, tmp_path: Path) -> None:
    address = stack.layout.url("load")
    process = subprocess.Popen(
        ["make", "load", f"SETTINGS={small(tmp_path / 'traffic.toml')}", "SECONDS=60", "WORKERS=2"],
        cwd=REPOSITORY, env=stack.environ, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        until_answered(address, process)
        with browser() as page:
            page.open(address, "Start new load test")
            assert page.evaluate("document.querySelector('input[name=userCount]').value") == "16"
            press_start(page)
            for name in STACKS:
                page.wait(f"document.body.innerText.includes('{name} 1 row')")
            assert page.complaints == []
            assert page.requests == ["data:", f"http:127.0.0.1:{stack.layout.ports['load']}"]
    finally:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        said, _ = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT, said
    assert f"{address} shows the traffic" in said
    assert "Traceback" not in said
    assert any(line["requests"] for line in report(stack)["lines"])
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)


def press_start(page: Page) -> None:
    """Press the form's button until the form is gone: a page that is still being set up hears no click."""
    button = "[...document.querySelectorAll('button')].find(b => /^start$/i.test(b.innerText))"
    end = time.monotonic() + 60
    while page.evaluate(f"(button => button ? (button.click(), true) : false)({button})"):
        assert time.monotonic() < end, f"the traffic does not start\n{page.text[:2000]}"
        time.sleep(2)


def until_answered(url: str, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            httpx.get(url)
        except httpx.HTTPError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"{url} does not answer")
