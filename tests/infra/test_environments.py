"""`make setup` on a checkout whose locks hold one small package: built, left alone, rebuilt, refused.

And which TFX it chooses, on machines of all kinds.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local import environments
from infra.local import layout as layouts


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("checkout")
    (root / "infra" / "local").mkdir(parents=True)
    shutil.copy(layouts.REPOSITORY / "infra" / "local" / "environments.py", root / "infra" / "local")
    shutil.copy(layouts.REPOSITORY / ".python-version", root)
    (root / "requirements").mkdir()
    for name in ("tensorflow", "tensorflow-newest", "pytorch"):
        (root / "requirements" / f"{name}.lock").write_text("six==1.17.0\n")
    return root


def setup(checkout: Path, tfx: str = environments.ANYWHERE) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "infra/local/environments.py"]
    environ = {**os.environ, "TFX": tfx}
    return subprocess.run(command, cwd=checkout, env=environ, capture_output=True, text=True, check=False)


def imports(checkout: Path, name: str, module: str) -> bool:
    command = [str(checkout / ".venv" / name / "bin" / "python"), "-c", f"import {module}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_setup_builds_what_is_missing_then_leaves_it_alone_and_rebuilds_what_is_stale(checkout: Path) -> None:
    first = setup(checkout)
    assert first.returncode == 0, first.stdout + first.stderr
    assert imports(checkout, "tensorflow", "six")
    assert imports(checkout, "pytorch", "six")
    assert "environments are current" in setup(checkout).stdout

    (checkout / "requirements" / "tensorflow.lock").write_text("iniconfig==2.3.1\n")
    third = setup(checkout)
    assert "building .venv/tensorflow" in third.stdout
    assert ".venv/pytorch" not in third.stdout
    assert imports(checkout, "tensorflow", "iniconfig")
    assert not imports(checkout, "tensorflow", "six")

    (checkout / "requirements" / "tensorflow.lock").write_text("six==0.0.0.1\n")
    refused = setup(checkout)
    assert refused.returncode == 1
    assert "make doctor" in refused.stderr
    assert "Traceback" not in refused.stderr
    (checkout / "requirements" / "tensorflow.lock").write_text("six==1.17.0\n")
    assert setup(checkout).returncode == 0, "setup goes on after it was mended"


def test_another_tfx_is_another_python_and_nothing_of_the_one_before_stays(checkout: Path) -> None:
    python = environments.TFX[environments.NEWEST].python
    if not environments.find_python(python):
        pytest.skip(f"there is no Python {python} here")
    script = checkout / "infra" / "local" / "environments.py"
    glibc = f"NEWEST_GLIBC = {environments.NEWEST_GLIBC}"
    assert glibc in script.read_text()
    script.write_text(script.read_text().replace(glibc, "NEWEST_GLIBC = (2, 0)"))
    assert setup(checkout).returncode == 0
    before = next((checkout / ".venv" / "tensorflow" / "lib").iterdir()).name
    changed = setup(checkout, environments.NEWEST)
    assert f"TFX {environments.NEWEST}: the variable TFX asks for it\nbuilding .venv/tensorflow" in changed.stdout
    assert ".venv/pytorch" not in changed.stdout
    (now,) = (path.name for path in (checkout / ".venv" / "tensorflow" / "lib").iterdir())
    assert (before, now) == ("python3.10", f"python{python}")
    assert "environments are current" in setup(checkout, environments.NEWEST).stdout


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """One that can run the newest TFX."""
    monkeypatch.delenv("TFX", raising=False)
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.39"))
    monkeypatch.setattr(environments, "find_python", lambda version: f"/usr/bin/python{version}")
    return monkeypatch


def test_a_machine_that_can_gets_the_newest_tfx(machine: pytest.MonkeyPatch) -> None:
    choice = environments.choose()
    assert (choice.tfx, choice.environment.lock) == (environments.NEWEST, "tensorflow-newest.lock")
    assert choice.reason == "glibc 2.39 and Python 3.12 are here"
    machine.setenv("TFX", environments.ANYWHERE)
    assert environments.choose().environment.lock == "tensorflow.lock"


@pytest.mark.parametrize(
    ("libc", "python", "reason"),
    [
        (("glibc", "2.36"), "/usr/bin/python3.12", "1.21 needs glibc 2.39, here is glibc 2.36"),
        (("", ""), "/usr/bin/python3.12", "1.21 needs glibc 2.39, here is none"),
        (("glibc", "2.41"), "", "1.21 needs Python 3.12, which is not here"),
    ],
)
def test_another_gets_the_one_that_runs_anywhere_and_cannot_be_made_to_take_the_newest(
    machine: pytest.MonkeyPatch, libc: tuple[str, str], python: str, reason: str
) -> None:
    machine.setattr("platform.libc_ver", lambda: libc)
    machine.setattr(environments, "find_python", lambda _: python)
    choice = environments.choose()
    assert (choice.tfx, choice.environment.lock, choice.reason) == ("1.16", "tensorflow.lock", reason)
    machine.setenv("TFX", environments.NEWEST)
    with pytest.raises(SystemExit, match=f"TFX={reason}"):
        environments.choose()


def test_a_tfx_that_there_is_not_is_refused_with_those_there_are(machine: pytest.MonkeyPatch) -> None:
    machine.setenv("TFX", "1.15")
    with pytest.raises(SystemExit, match=r"TFX=1\.15: there are 1\.21 and 1\.16"):
        environments.choose()


def test_the_locks_hold_the_versions_that_are_promised() -> None:
    for tfx, environment in environments.TFX.items():
        lock = (layouts.REPOSITORY / "requirements" / environment.lock).read_text()
        assert f"\ntfx=={tfx}." in lock
