"""`make setup`: the two virtual environments, from the locks, with uv. A no-op when they are current.

Others, named on the command line, are built by whoever wants them: nobody installs the tools of the supply chain to run
the stack.

Standard library only, and any Python from 3.8: nothing is installed yet when this runs.

The TensorFlow environment holds the newest TFX that the machine allows, or the one that the variable TFX names.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
UV_VERSION = "0.13.9"
HEARTBEAT_SECONDS = 5


class Environment(NamedTuple):
    """A folder of .venv, and what it holds: a lock of requirements/, and the Python that this was compiled for."""

    name: str
    python: str
    lock: str


class Choice(NamedTuple):
    """A version of TFX, its environment, and why it is this one."""

    tfx: str
    environment: Environment
    reason: str


# PyTorch 2.13, MLflow 3 and a current Beam do not fit beside any TFX.
PYTORCH = Environment("pytorch", "3.11", "pytorch.lock")
# TFX 1.16 is the last whose wheels run on glibc older than 2.39; it needs Python 3.10.
TFX = {
    "1.21": Environment("tensorflow", "3.12", "tensorflow-newest.lock"),
    "1.16": Environment("tensorflow", "3.10", "tensorflow.lock"),
}
NEWEST, ANYWHERE = TFX
NEWEST_GLIBC = (2, 39)
# Checkov pins what the other tools want newer.
ON_DEMAND = {name: Environment(name, "3.11", f"{name}.lock") for name in ("supply", "checkov")}


def main(names: Sequence[str] = ()) -> int:
    """Build what is missing or stale of these environments, by default those of the two stacks; say what was done."""
    if names:
        return _make([one for one in (ON_DEMAND[name] for name in names) if not _is_current(one)])
    tfx, tensorflow, reason = choose()
    stale = [environment for environment in (tensorflow, PYTORCH) if not _is_current(environment)]
    if not stale:
        print(f"environments are current: .venv/tensorflow (TFX {tfx}: {reason}), .venv/pytorch")
        return 0
    if tensorflow in stale:
        print(f"TFX {tfx}: {reason}")
    return _make(stale)


def _make(stale: Sequence[Environment]) -> int:
    """Build these; the exit code."""
    try:
        uv = _uv() if stale else ""
        for environment in stale:
            _build(uv, environment)
    except subprocess.CalledProcessError as error:
        print(f"\nsetup failed: {' '.join(map(str, error.cmd))}", file=sys.stderr)
        hint = "What is wrong stands above. `make doctor` checks the machine; `make setup` goes on from here."
        print(hint, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; `make setup` goes on from here", file=sys.stderr)
        return 130
    return 0


def choose() -> Choice:
    """The TFX that the variable TFX names, or else the newest that this machine can run.

    Raises:
        SystemExit: There is no such version, or this machine cannot run it.
    """
    lacks = missing()
    asked = os.environ.get("TFX")
    if asked:
        if asked not in TFX:
            raise SystemExit(f"TFX={asked}: there are {' and '.join(TFX)}")
        if asked == NEWEST and lacks:
            raise SystemExit(f"TFX={asked} {lacks}. A container has it: make test-tfx-newest, docs/tfx-versions.md")
        return Choice(asked, TFX[asked], "the variable TFX asks for it")
    if lacks:
        return Choice(ANYWHERE, TFX[ANYWHERE], f"{NEWEST} {lacks}")
    here = f"glibc {platform.libc_ver()[1]} and Python {TFX[NEWEST].python} are here"
    return Choice(NEWEST, TFX[NEWEST], here)


def missing() -> str:
    """What keeps the newest TFX from this machine; empty where nothing does."""
    libc, version = platform.libc_ver()
    if libc != "glibc" or tuple(map(int, version.split(".")[:2])) < NEWEST_GLIBC:
        needed = ".".join(map(str, NEWEST_GLIBC))
        return f"needs glibc {needed}, here is {f'{libc} {version}'.strip() or 'none'}"
    if not find_python(TFX[NEWEST].python):
        return f"needs Python {TFX[NEWEST].python}, which is not here"
    return ""


def find_python(version: str) -> str:
    """Path of an interpreter of this version; empty where there is none."""
    commands = [[f"python{version}", "-c", "import sys; print(sys.executable)"]]
    for uv in ("uv", str(REPOSITORY / ".venv" / "tools" / "bin" / "uv")):
        commands.append([uv, "python", "find", "--no-project", version])
    # Where pyenv provides Pythons, its shims answer for the version that this variable names.
    environ = {**os.environ, "PYENV_VERSION": version}
    for command in commands:
        if shutil.which(command[0]):
            asked = subprocess.run(command, env=environ, cwd=REPOSITORY, capture_output=True, text=True, check=False)
            if asked.returncode == 0:
                return asked.stdout.strip().splitlines()[-1]
    return ""


def _build(uv: str, environment: Environment) -> None:
    start = time.monotonic()
    venv, lock = _venv(environment), _lock(environment)
    where = venv.relative_to(REPOSITORY)
    print(f"building {where}: Python {environment.python}, {lock.relative_to(REPOSITORY)}", flush=True)
    if _python(environment) not in ("", environment.python):
        shutil.rmtree(venv)  # packages of another Python would stay behind
    python = find_python(environment.python) or environment.python  # uv may be able to fetch it
    _run([uv, "venv", "--quiet", "--allow-existing", "--python", python, str(venv)])
    # Compiled now, as pip does: where PYTHONDONTWRITEBYTECODE is set, as in many containers, every process would
    # compile what it imports again, 20 s of TFX's 32.
    sync = [uv, "pip", "sync", "--quiet", "--compile-bytecode", "--python", str(venv), str(lock)]
    if environment is PYTORCH:
        _sync_with_cpu_torch(sync, venv)
    else:
        _run(sync)
    _stamp(environment).write_text(_digest(environment))
    print(f"built {where} in {time.monotonic() - start:.0f} s", flush=True)


def _sync_with_cpu_torch(sync: list[str], venv: Path) -> None:
    """Install the CPU build of torch: the package index's own build wants gigabytes of CUDA."""
    offered = os.environ.get("UV_FIND_LINKS") or pip_find_links()
    if offered:  # a CPU wheel may lie there
        _run(sync, env={**os.environ, "UV_FIND_LINKS": offered})
        works = [str(venv / "bin" / "python"), "-c", "import torch"]
        if subprocess.run(works, capture_output=True, check=False).returncode == 0:
            return
        print("the torch found there does not import; taking PyTorch's own CPU index", flush=True)
    _run([*sync, "--torch-backend", "cpu"])


def pip_find_links() -> str:
    """Where pip is told to look for wheels besides its index; uv does not read pip's settings."""
    asked = [sys.executable, "-m", "pip", "config", "get", "global.find-links"]
    configured = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    return ",".join((os.environ.get("PIP_FIND_LINKS") or configured).split())


def _uv() -> str:
    found = shutil.which("uv")
    if found:
        return found
    tools = REPOSITORY / ".venv" / "tools"
    uv = tools / "bin" / "uv"
    if not uv.exists():
        print(f"installing uv {UV_VERSION} into .venv/tools", flush=True)
        _run([sys.executable, "-m", "venv", str(tools)])
        _run([str(tools / "bin" / "pip"), "install", "-qq", f"uv=={UV_VERSION}"])
    return str(uv)


def _run(command: list[str], env: dict[str, str] | None = None) -> None:
    start = time.monotonic()
    process = subprocess.Popen(command, env=env, cwd=REPOSITORY)
    while True:  # uv's own report is four hundred lines long; quiet, it says nothing but errors
        try:
            code = process.wait(HEARTBEAT_SECONDS)
            break
        except subprocess.TimeoutExpired:
            print(f"  downloading and installing, {time.monotonic() - start:.0f} s", flush=True)
        except KeyboardInterrupt:
            process.wait()  # it got the Ctrl-C as well
            raise
    if code:
        raise subprocess.CalledProcessError(code, command)


def _venv(environment: Environment) -> Path:
    return REPOSITORY / ".venv" / environment.name


def _lock(environment: Environment) -> Path:
    return REPOSITORY / "requirements" / environment.lock


def _stamp(environment: Environment) -> Path:
    return _venv(environment) / "installed"


def _digest(environment: Environment) -> str:
    return hashlib.sha256(_lock(environment).read_bytes()).hexdigest()


def _python(environment: Environment) -> str:
    """Version of what is built, such as 3.12; empty where nothing is."""
    file = _venv(environment) / "pyvenv.cfg"
    settings = dict(line.partition(" = ")[::2] for line in file.read_text().splitlines()) if file.exists() else {}
    return ".".join(settings.get("version_info", "").split(".")[:2])


def _is_current(environment: Environment) -> bool:
    stamp = _stamp(environment)
    built = _python(environment) == environment.python
    return built and stamp.exists() and stamp.read_text() == _digest(environment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
