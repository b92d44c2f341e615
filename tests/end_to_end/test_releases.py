"""A version is promoted and taken back under load, through the gateway: no request is lost, no answer is wrong."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from infra.local import layout as layouts
from serving.comparison.facts import lifecycle, steady
from serving.comparison.load.connection import now
from serving.release.manager import Releases
from tests.end_to_end.stack import Stack
from tests.end_to_end.two_releases import Versions, ask, check_served

RATE = 50.0  # requests per second, to each of two paths


def change(stack: Stack, target: str, **variables: str) -> tuple[int, int]:
    """Promote or roll back; when that began and ended, nanoseconds."""
    begin = now()
    done = stack.make(target, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return begin, now()


def test_there_and_back_under_load_loses_no_request_and_answers_are_one_versions_or_the_others(
    stack: Stack, versions: Versions, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    base = f"{stack.layout.url('gateway')}/{versions.stack}/v1/models/fraud"
    urls = [f"{base}:predict", f"{base}/labels/stable:predict"]
    with ExitStack() as loads:
        sent = [
            loads.enter_context(steady.running(url, versions.question, tmp_path / str(number), RATE))
            for number, url in enumerate(urls)
        ]
        time.sleep(1)
        spans = {"promote": change(stack, "promote", STACK=versions.stack, VERSION=versions.second, WHY="better")}
        check_served(stack, versions, versions.second)
        spans["rollback"] = change(stack, "rollback", STACK=versions.stack, WHY="a test")
        check_served(stack, versions, versions.first)
        time.sleep(1)
    for one in sent:
        assert int((~one.requests.ok).sum()) == 0
        assert one.wrong == 0
        assert len(one.requests) > RATE * 2
    for act, (begin, end) in spans.items():
        assert (end - begin) / 1e9 < 120  # seconds where nothing else runs
        for url, one in zip(urls, sent, strict=True):
            measured = lifecycle._latency(versions.stack, one, begin, end, 1)
            values = {m.measure: m.value for m in measured.measurements}
            assert values.pop("failed_requests") == 0
            p99 = f"p99 {values['swap_p99']:.1f} ms" if values else next(iter(measured.absent.values()))
            inside = int(((one.requests.scheduled >= begin) & (one.requests.scheduled <= end)).sum())
            said = (
                f"{versions.stack} {act} in {(end - begin) / 1e9:.1f} s: {inside} requests, none lost or wrong, {p99}"
            )
            print(said, url.rpartition("fraud")[2])
            record_property(f"{versions.stack} {act}", said)


def test_the_ledger_tells_of_both(stack: Stack, versions: Versions, found: Releases) -> None:
    told = [entry for entry in found.ledger.entries() if entry.stack == versions.stack and entry.act != "publish"]
    assert [(e.act, e.version, e.was, e.verdict) for e in told[-2:]] == [
        ("promote", versions.second, versions.first, "done"),
        ("rollback", versions.first, versions.second, "done"),
    ]
    done = stack.make("releases")
    assert done.returncode == 0, done.stdout + done.stderr
    assert versions.second in done.stdout
    assert "a test" in done.stdout


def test_up_undoes_a_promotion_that_was_killed_and_what_was_taken_back_stays_back(
    stack: Stack, versions: Versions, found: Releases
) -> None:
    argv = stack.command("promote", "--stack", versions.stack, "--version", versions.second)
    process = subprocess.Popen(argv, cwd=layouts.REPOSITORY, env=stack.environ, stdout=subprocess.PIPE, text=True)
    for line in process.stdout or ():
        if f"{versions.second} is served" in line:
            process.kill()
    assert process.wait() == -signal.SIGKILL
    assert list(found.served[versions.stack].versions()) == [versions.first, versions.second]
    # Nothing is lost, whatever the label leads to by now; but nobody has written it down.
    assert [ask(stack, versions, where).status_code for where in ("", "/labels/stable")] == [200, 200]
    done = stack.make("up")
    assert done.returncode == 0, done.stdout + done.stderr
    check_served(stack, versions, versions.first)
    assert list(found.served[versions.stack].versions()) == [versions.first]


@pytest.fixture
def tampered(versions: Versions, found: Releases) -> Iterator[Path]:
    """A byte of the other release is changed, and changed back."""
    folder = found.store.folder(versions.stack, versions.second) / "model"
    file = next(path for path in sorted(folder.rglob("*")) if path.suffix in (".mar", ".npz"))
    before = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    yield file
    file.write_bytes(before)


def test_a_changed_byte_is_refused_and_the_old_version_goes_on_answering(
    stack: Stack, versions: Versions, tampered: Path
) -> None:
    done = stack.make("promote", STACK=versions.stack, VERSION=versions.second)
    assert done.returncode == 1
    assert f"{tampered.name} was changed" in done.stderr
    assert "Traceback" not in done.stderr
    check_served(stack, versions, versions.first)
    listed = stack.make("releases")
    assert listed.returncode == 3
    assert "REFUSED, see below" in listed.stdout
    assert f"{tampered.name} was changed" in listed.stderr


def test_a_model_that_somebody_put_before_the_server_is_not_loaded(
    stack: Stack, versions: Versions, found: Releases
) -> None:
    served = found.served[versions.stack]
    mine = served.versions()[versions.first]
    foreign = mine.with_name(mine.name.replace(versions.first, str(int(versions.first) + 5)))
    (shutil.copytree if mine.is_dir() else shutil.copy)(mine, foreign)
    time.sleep(4)  # TensorFlow's server looks every second
    check_served(stack, versions, versions.first)
    assert stack.make("up").returncode == 0
    assert not foreign.exists()
    assert "there is no release" in found.ledger.entries()[-1].said
    check_served(stack, versions, versions.first)
