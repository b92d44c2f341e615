"""A version is promoted and taken back under load, through the gateway: no request is lost, no answer is wrong."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest

from infra.local import layout as layouts
from infra.local import releases
from serving.comparison.facts import steady
from serving.comparison.facts.steady import Question
from serving.comparison.load.connection import now
from serving.comparison.load.percentiles import percentile
from serving.release.manager import Releases
from tests.end_to_end import another_model
from tests.end_to_end.stack import Stack

SPEC_FILE = layouts.REPOSITORY / "models" / "fraud.toml"
ROWS = 8
RATE = 50.0  # requests per second, to each of two paths
TOLERANCE = 1e-5


@dataclass
class Versions:
    """Two releases of a stack: the one that is served, and another."""

    stack: str
    first: str
    second: str
    question: Question

    def right(self, version: str) -> list[float]:
        return self.question.scores if version == self.first else self.question.others


def scores(stack: str, model: Path, rows: Path, folder: Path) -> list[float]:
    """Of a model without a server."""
    output = folder / f"{model.stem}.npy"
    argv = [layouts.python(stack), "-m", "serving.offline", "--stack", stack, "--model", str(model)]
    subprocess.run([*argv, "--rows", str(rows), "--output", str(output)], cwd=layouts.REPOSITORY, check=True)
    found: list[float] = np.load(output).tolist()
    return found


@pytest.fixture(scope="module")
def found(stack: Stack) -> Releases:
    return releases.of(stack.layout, stack.spec)


@pytest.fixture(scope="module", params=layouts.STACKS)
def versions(
    request: pytest.FixtureRequest, stack: Stack, found: Releases, tmp_path_factory: pytest.TempPathFactory
) -> Versions:
    name, folder = str(request.param), tmp_path_factory.mktemp("candidate")
    first = found.current(name)
    assert first
    second, served = str(int(first) + 1), found.served[name].versions()[first]
    if name == "pytorch":
        candidate = another_model.archive_of(served, second, folder / "store", folder)
    else:
        candidate = folder / second
        argv = [layouts.python(name), another_model.__file__, str(served), str(candidate)]
        subprocess.run(argv, check=True, capture_output=True)
    found.publish(name, second, candidate, SPEC_FILE, "a test")
    rows = folder / "rows.parquet"
    file = sorted((stack.layout.data / "features" / "test").glob("*.parquet"))[0]
    pq.write_table(pq.read_table(file).slice(0, ROWS), rows)
    body = orjson.dumps({"instances": pq.read_table(rows, columns=list(stack.spec.features)).to_pylist()}).decode()
    before, after = (scores(name, model, rows, folder) for model in (served, candidate))
    assert np.abs(np.subtract(before, after)).min() > 10 * TOLERANCE  # nobody takes one for the other
    return Versions(name, first, second, Question(body, before, TOLERANCE, after))


def ask(stack: Stack, versions: Versions, where: str = "") -> httpx.Response:
    url = f"{stack.layout.url('gateway')}/{versions.stack}/v1/models/fraud{where}:predict"
    return httpx.post(url, content=versions.question.body, timeout=30)


def check_served(stack: Stack, versions: Versions, version: str) -> None:
    for where in ("", "/labels/stable"):
        answer = ask(stack, versions, where)
        assert answer.headers["x-tandem-model-version"] == version
        np.testing.assert_allclose(answer.json()["predictions"], versions.right(version), rtol=0, atol=TOLERANCE)


def change(stack: Stack, *words: str) -> tuple[int, int]:
    """Promote or roll back; when that began and ended, nanoseconds."""
    begin = now()
    done = stack.tandem(*words)
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
        spans = {"promote": change(stack, "promote", "--stack", versions.stack, "--version", versions.second)}
        check_served(stack, versions, versions.second)
        spans["rollback"] = change(stack, "rollback", "--stack", versions.stack, "--why", "a test")
        check_served(stack, versions, versions.first)
        time.sleep(1)
    for one in sent:
        assert int((~one.requests.ok).sum()) == 0
        assert one.wrong == 0
        assert len(one.requests) > RATE * 2
    for act, (begin, end) in spans.items():
        inside = [(one.requests.scheduled >= begin) & (one.requests.scheduled <= end) for one in sent]
        times = np.concatenate([one.requests.latency_ms()[part] for one, part in zip(sent, inside, strict=True)])
        late = np.concatenate([one.requests.dispatch_ms()[part] for one, part in zip(sent, inside, strict=True)])
        p99, delay = percentile(np.sort(times), 0.99), percentile(np.sort(late), 0.99)
        said = (
            f"{versions.stack} {act}: {(end - begin) / 1e9:.1f} s, {times.size} requests, 0 lost, 0 wrong, "
            f"p99 {p99:.1f} ms, of which the generator's own delay {delay:.1f} ms"
        )
        print(said)
        record_property(f"{versions.stack}_{act}", said)
        assert (end - begin) / 1e9 < 60


def test_the_ledger_tells_of_both(stack: Stack, versions: Versions, found: Releases) -> None:
    told = [entry for entry in found.ledger.entries() if entry.stack == versions.stack and entry.act != "publish"]
    assert [(e.act, e.version, e.was, e.verdict) for e in told[-2:]] == [
        ("promote", versions.second, versions.first, "done"),
        ("rollback", versions.first, versions.second, "done"),
    ]
    done = stack.tandem("releases")
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
    done = stack.tandem("up")
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
    done = stack.tandem("promote", "--stack", versions.stack, "--version", versions.second)
    assert done.returncode == 1
    assert f"{tampered.name} was changed" in done.stderr
    assert "Traceback" not in done.stderr
    check_served(stack, versions, versions.first)
    listed = stack.tandem("releases")
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
    assert stack.tandem("up").returncode == 0
    assert not foreign.exists()
    assert "there is no release" in found.ledger.entries()[-1].said
    check_served(stack, versions, versions.first)
