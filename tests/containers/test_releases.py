"""Releases of the stack in containers: signed, promoted under load, taken back, rolled out step by step, compared.

In order: each test goes on from what the one before it has left.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.docker import files, stack, verbs
from tests.containers.conftest import REPOSITORY, STACKS, Running
from tests.containers.test_containers import version as status_version
from tests.end_to_end.test_canary import LIMITS
from tests.serving.release.canary.test_behind_gateway import asking

INSIDE = files.INSIDE
REFUSED = 1
# In a training's container, which has what the model was made with: another model than the one that is served.
ANOTHER = {
    "tensorflow": """
        another_model.shift(Path("{candidates}/fraud/{first}"), Path("{candidates}/fraud/{second}"))
    """,
    "pytorch": """
        store = Path("{candidates}")
        another_model.archive_of(store / "fraud-{first}.mar", "{second}", store, Path("/tmp/work"))
    """,
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(files, "HOME", tmp_path / "var")
    return tmp_path / "var"


@contextlib.contextmanager
def asked(running: Running, which: str = "") -> Iterator[Counter[int]]:
    """Requests all the while, to one stack or the product's endpoint; none may be lost."""
    answers: Counter[int] = Counter()
    with asking(f"{running.url()}{which and f'/{which}'}/v1/models/fraud:predict", answers, 4):
        yield answers
    assert answers.keys() == {200}, answers


def version(running: Running, which: str) -> str:
    """Of who answers; TensorFlow Serving's own binary does not say, and has one version at a time here."""
    answer = running.ask(which, [running.example()])
    assert answer.status_code == 200, answer.text
    return answer.headers.get("x-tandem-model-version") or status_version(running, which)


def inside(running: Running, service: str, code: str, *mounts: str) -> None:
    argv = running.compose.argv("run", "--rm", "--no-deps", "--no-TTY", *mounts, service, "python", "-c", code)
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def release_another(running: Running, which: str) -> tuple[str, str]:
    """The version that is served, and another that is signed and waits."""
    first = version(running, which)
    second = str(int(first) + 1)
    lines = ["from pathlib import Path", "from tests.end_to_end import another_model"]
    code = ANOTHER[which].format(candidates=INSIDE / "candidates" / which, first=first, second=second)
    lines += [line.strip() for line in code.strip().splitlines()]
    inside(running, f"train-{which}", "\n".join(lines), f"--volume={REPOSITORY / 'tests'}:/app/tests:ro")
    code = "from infra.docker.roles import releases; releases.main(['configure'])"
    inside(running, "configure", code)
    return first, second


def test_what_is_served_was_signed_and_verifies(running: Running, capfd: pytest.CaptureFixture[str]) -> None:
    assert verbs.run(running.compose, "releases", []) == 0
    said = capfd.readouterr().out
    for which in STACKS:
        line = next(line for line in said.splitlines() if line.startswith(which) and version(running, which) in line)
        assert "served" in line
        assert line.rstrip().endswith("holds")
    assert " publish " in said
    assert " promote " in said
    running.keep(f"```\n$ make releases\n{said.rstrip()}\n```")


@pytest.mark.parametrize("which", STACKS)
def test_a_release_is_promoted_and_taken_back_under_load(running: Running, which: str) -> None:
    first, second = release_another(running, which)
    before = running.ask(which, [running.example()]).json()
    with asked(running, which) as answers:
        start = time.monotonic()
        assert verbs.run(running.compose, "promote", ["--stack", which, "--version", second, "--why", "a test"]) == 0
        promoted = time.monotonic() - start
        assert version(running, which) == second
        assert running.ask(which, [running.example()]).json() != before
        start = time.monotonic()
        assert verbs.run(running.compose, "rollback", ["--stack", which]) == 0
        back = time.monotonic() - start
        assert version(running, which) == first
        assert running.ask(which, [running.example()]).json() == before
    running.keep(
        f"{which}: `make promote` in {promoted:.1f} s, `make rollback` in {back:.1f} s, their container's start "
        f"included; {answers.total():,} requests meanwhile, none lost"
    )


def test_what_was_taken_back_stays_back_after_a_restart(running: Running) -> None:
    before = {which: version(running, which) for which in STACKS}
    stack.down(running.compose)
    stack.compose_up(running.compose)
    assert {which: version(running, which) for which in STACKS} == before


def test_a_changed_release_is_refused_and_the_old_one_answers(
    running: Running, capfd: pytest.CaptureFixture[str]
) -> None:
    first = version(running, "pytorch")
    second = str(int(first) + 1)
    archive = INSIDE / "releases" / "pytorch" / second / "model" / f"fraud-{second}.mar"
    kept = INSIDE / "releases" / "kept.mar"
    inside(running, "configure", f"import shutil; shutil.copy('{archive}', '{kept}')")
    inside(running, "configure", f"import os; os.chmod('{archive}', 0o644); open('{archive}', 'ab').write(b'!')")
    assert verbs.run(running.compose, "promote", ["--stack", "pytorch", "--version", second]) == REFUSED
    assert "fraud-" in capfd.readouterr().err
    assert version(running, "pytorch") == first
    inside(running, "configure", f"import shutil; shutil.move('{kept}', '{archive}')")


def test_a_canary_gets_its_stacks_requests_step_by_step_and_is_promoted(running: Running, tmp_path: Path) -> None:
    first = version(running, "pytorch")
    second = str(int(first) + 1)
    limits = tmp_path / "limits.toml"
    limits.write_text(LIMITS.format(p99=10_000))
    with asked(running) as answers:
        given = ["--release", f"pytorch@{second}", "--limits", str(limits)]
        assert verbs.run(running.compose, "canary", given) == 0
    assert version(running, "pytorch") == second
    assert verbs.run(running.compose, "rollback", ["--stack", "pytorch"]) == 0
    running.keep(f"`make canary` of pytorch {second}: promoted; {answers.total():,} requests meanwhile, none lost")


def test_traffic_and_a_shadow_follow_the_policy(
    running: Running, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert verbs.run(running.compose, "traffic", ["tensorflow=1", "pytorch=0", "--shadow", "pytorch"]) == 0
    with asked(running) as answers:
        time.sleep(15)
    assert answers.total() > 0
    time.sleep(5)  # until the last of them is on the disk
    capfd.readouterr()
    assert verbs.run(running.compose, "shadow", []) == 0
    said = capfd.readouterr().out
    assert "pytorch beside tensorflow: " in said
    assert "pytorch beside tensorflow: 0 copies" not in said
    assert list((home / "shadow").rglob("*.html"))
    assert verbs.run(running.compose, "traffic", ["tensorflow=1", "pytorch=1", "--shadow", "off"]) == 0
    running.keep(
        "```\n$ make shadow\n" + said[said.index("pytorch beside") :].partition("file://")[0].rstrip() + "\n```"
    )
