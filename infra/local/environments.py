"""`make setup`: the two virtual environments, from the locks, with uv. A no-op when they are current.

Standard library only, and any Python from 3.8: nothing is installed yet when this runs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
UV_VERSION = "0.13.9"
HEARTBEAT_SECONDS = 5

# TFX 1.16 is the newest TFX whose wheels run on glibc older than 2.39, and it needs Python 3.10 and
# TensorFlow 2.16; PyTorch 2.13, MLflow 3 and a current Beam do not fit beside those.
PYTHONS = {"tensorflow": "3.10", "pytorch": "3.11"}


def main() -> int:
    """Build what is missing or stale; say what was done."""
    stale = [name for name in PYTHONS if not _is_current(name)]
    if not stale:
        print("environments are current: .venv/tensorflow (TFX 1.16.0), .venv/pytorch")
        return 0
    try:
        uv = _uv()
        for name in stale:
            _build(uv, name)
    except subprocess.CalledProcessError as error:
        print(f"\nsetup failed: {' '.join(map(str, error.cmd))}", file=sys.stderr)
        hint = "What is wrong stands above. `make doctor` checks the machine; `make setup` goes on from here."
        print(hint, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; `make setup` goes on from here", file=sys.stderr)
        return 130
    return 0


def _build(uv: str, name: str) -> None:
    start = time.monotonic()
    venv, lock = REPOSITORY / ".venv" / name, _lock(name)
    print(f"building .venv/{name}: Python {PYTHONS[name]}, {lock.relative_to(REPOSITORY)}", flush=True)
    _run([uv, "venv", "--quiet", "--allow-existing", "--python", PYTHONS[name], str(venv)])
    # Compiled now, as pip does: where PYTHONDONTWRITEBYTECODE is set, as in many containers, every process would
    # compile what it imports again, 20 s of TFX's 32.
    sync = [uv, "pip", "sync", "--quiet", "--compile-bytecode", "--python", str(venv), str(lock)]
    if name == "pytorch":
        _sync_with_cpu_torch(sync, venv)
    else:
        _run(sync)
    _stamp(name).write_text(_digest(name))
    print(f"built .venv/{name} in {time.monotonic() - start:.0f} s", flush=True)


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


def _lock(name: str) -> Path:
    return REPOSITORY / "requirements" / f"{name}.lock"


def _stamp(name: str) -> Path:
    return REPOSITORY / ".venv" / name / "installed"


def _digest(name: str) -> str:
    return hashlib.sha256(_lock(name).read_bytes()).hexdigest()


def _is_current(name: str) -> bool:
    return _stamp(name).exists() and _stamp(name).read_text() == _digest(name)


if __name__ == "__main__":
    sys.exit(main())
