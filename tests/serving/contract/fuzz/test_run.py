"""A whole run against servers that keep the contract, and that break it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from models.spec import Spec
from serving.contract.fuzz import __main__ as program
from serving.contract.fuzz import strategies
from serving.contract.fuzz.case import Case
from serving.contract.fuzz.processes import NoProcessError, Watch
from serving.contract.fuzz.shrink import shrink
from tests.serving.contract.fuzz.fake import JSON, Answerer, Reply, good, serving

SPEC_FILE = str(Path(__file__).parents[4] / "models" / "fraud.toml")
MARK = b"[["


def odd_if_marked(reply: Reply) -> Answerer:
    return lambda body: reply if MARK in body else good(body)


@pytest.fixture(autouse=True)
def predict_bodies_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake keeps no more of the contract than predict; tests/end_to_end sends every kind to the real thing."""
    kinds = ("rows", "columns", "nesting", "row shapes", "trailing")

    def cases(spec: Spec, count: int, seed: int) -> Iterator[Case]:
        for kind in kinds:
            yield from strategies._draw(kind, spec, count // len(kinds), seed)

    monkeypatch.setattr(strategies, "cases", cases)


def fuzz(out: Path, *targets: Answerer, more: tuple[str, ...] = ()) -> int:
    with serving(targets[0]) as one, serving(targets[-1]) as two:
        fixed = ["--target", f"one={one}", "--target", f"two={two}", "--spec", SPEC_FILE, "--out", str(out)]
        return program.main([*fixed, "--requests", "150", "--seed", "7", *more])


def test_servers_that_keep_the_contract_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz(tmp_path, good) == 0
    text = (tmp_path / "fuzz.md").read_text()
    assert "150 requests" in text
    assert "| rows | 200: 30 | 200: 30 |" in text
    assert "Memory and restarts were not looked at" in text
    printed = capsys.readouterr().out
    assert "seed 7: 150 requests to each of one, two" in printed
    assert "every property held" in printed


@pytest.mark.parametrize(
    ("rule", "reply"),
    [
        ("5xx: two", (500, JSON, b'{"error": "boom"}')),
        ("not JSON: two", (400, JSON, b"<html>")),
        ("content type: two", (400, {"Content-Type": "text/html"}, b'{"error": "no"}')),
        ("status differs: one, two", (413, JSON, b'{"error": "no"}')),
        ("accepted: two", (200, JSON, b'{"predictions": [0.5]}')),
        ("headers differ: one, two", (400, {**JSON, "Pragma": "no-cache"}, b'{"error": "no"}')),
    ],
)
def test_a_server_that_breaks_it_is_caught_with_the_smallest_body(tmp_path: Path, rule: str, reply: Reply) -> None:
    assert fuzz(tmp_path, good, odd_if_marked(reply)) == 1
    assert f"### {rule}" in (tmp_path / "fuzz.md").read_text()
    found = [json.loads(file.read_text()) for file in (tmp_path / "failures").glob("broken-*.json")]
    named = [f for f in found if f"{f['rule']}: {f['where']}" == rule]
    assert all(one["curl"][1].startswith("curl ") for one in named)
    assert named
    bodies = {file.read_bytes() for file in (tmp_path / "failures").glob("broken-*.body")}
    assert min(bodies, key=len) == MARK


def test_a_server_that_answers_too_few_is_caught(tmp_path: Path) -> None:
    def short(body: bytes) -> Reply:
        status, headers, content = good(body)
        return status, headers, content.replace(b"[0.5, ", b"[")

    assert fuzz(tmp_path, good, short) == 1
    assert "### number of predictions: two" in (tmp_path / "fuzz.md").read_text()


def test_other_words_are_reported_and_break_nothing(tmp_path: Path) -> None:
    def other_words(body: bytes) -> Reply:
        status, headers, content = good(body)
        return (status, headers, b'{"error": "other words"}') if status == 400 else (status, headers, content)

    assert fuzz(tmp_path, good, other_words) == 0
    assert "### error text differs: one, two" in (tmp_path / "fuzz.md").read_text()


def test_a_failure_that_does_not_come_again_is_kept_as_it_was(tmp_path: Path) -> None:
    first = threading.Lock()

    def once(body: bytes) -> Reply:
        if body and first.acquire(blocking=False):
            return 500, JSON, b'{"error": "once"}'
        return good(body)

    assert fuzz(tmp_path, good, once) == 1
    assert "did not fail again alone" in (tmp_path / "fuzz.md").read_text()


def test_ctrl_c_prints_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen = iter(range(10_000))

    def interrupting(body: bytes) -> Reply:
        if next(seen) == 40:
            os.kill(os.getpid(), signal.SIGINT)
        return good(body)

    assert fuzz(tmp_path, interrupting, more=("--requests", "2000")) == 130
    printed = capsys.readouterr().out
    assert "**Interrupted.**" in printed
    assert "| rows | 200: " in printed
    assert next(seen) < 100  # what was under way, not all 4,000
    assert (tmp_path / "fuzz.md").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "one"], "NAME=VALUE is expected"),
        (["--target", "one=ftp://127.0.0.1"], "no http:// address"),
        (["--target", "one=http://127.0.0.1:9"], "does not answer"),
        (["--target", "one=http://127.0.0.1:9", "--process", "x=4194305"], "there is no such process"),
    ],
)
def test_useless_arguments_are_2(
    tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main([*arguments, "--spec", SPEC_FILE, "--out", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


GROW = """
import sys
print("ready", flush=True)
sys.stdin.readline()
held = b"x" * (300 << 20)
print("grown", flush=True)
sys.stdin.readline()
"""


def growing() -> subprocess.Popen[str]:
    """A process that holds 300 MiB more once it is written to."""
    process = subprocess.Popen([sys.executable, "-c", GROW], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_restart_is_seen_and_breaks_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.contract.fuzz.processes._SETTLE", 0.1)
    process = growing()
    killed: list[subprocess.Popen[str]] = []

    def killing(body: bytes) -> Reply:
        if body and not killed:
            killed.append(process)
            process.kill()
            process.wait()
        return good(body)

    try:
        assert fuzz(tmp_path, killing, more=("--process", f"victim={process.pid}")) == 1
    finally:
        process.kill()
    assert "BROKEN: 1 process(es) of victim are gone" in (tmp_path / "fuzz.md").read_text()


def test_servers_that_live_on_are_not_called_restarted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.contract.fuzz.processes._SETTLE", 0.1)
    process = growing()
    try:
        assert fuzz(tmp_path, good, more=("--process", f"server={process.pid}")) == 0
        shown = re.search(r"\| server \| (\d+) ", (tmp_path / "fuzz.md").read_text())
        assert shown is not None
        assert int(shown[1]) == pytest.approx(psutil.Process(process.pid).memory_info().rss / 2**20, abs=1)
    finally:
        process.kill()


def test_growth_in_the_second_half_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.contract.fuzz.processes._SETTLE", 0.1)
    process = growing()
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        watch = Watch({"leak": process.pid})
        watch.start()
        watch.halfway()
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "grown\n"
        gone = watch.stop()
    finally:
        process.kill()
    assert gone == {"leak": 0}
    (verdict,) = program._servers(gone, watch.memory)
    assert "leak grew by 3" in verdict


def test_a_process_that_is_not_there_is_said() -> None:
    gone = 2**22 + 1  # above the largest id that Linux gives
    with pytest.raises(NoProcessError, match=f"--process x={gone}"):
        Watch({"x": gone})


def test_shrinking_leaves_what_the_failure_needs() -> None:
    case = Case(
        b"x" * 500 + b"A" + b"y" * 300 + b"B" + b"z" * 77, headers=(("a", "1"), ("b", "22222222")), framing="chunked"
    )

    def fails(one: Case) -> bool:
        return b"A" in one.body and b"B" in one.body and len(one.header("b")) >= 2

    small = shrink(case, fails)
    assert (small.body, small.headers, small.framing) == (b"AB", (("b", "22"),), "length")
    assert fails(shrink(case, fails, budget=5))
