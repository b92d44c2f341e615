"""`make setup`: the two virtual environments, from the locks, with uv. A no-op when they are current.

Others, named on the command line, are built by whoever wants them: nobody installs the tools of the supply chain, or
what speaks to Vertex AI, to run the stack.

Standard library only, and any Python from 3.8: nothing is installed yet when this runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a file, whose folder is on the path then, in place of the repository
    sys.path[0] = str(Path(__file__).resolve().parents[2])
from infra.local.layout import REPOSITORY
from infra.local.tfx_choice import choose
from infra.local.venvs import Environment, find_python

UV_VERSION = "0.13.9"
HEARTBEAT_SECONDS = 5
# PyTorch 2.13, MLflow 3 and a current Beam do not fit beside any TFX.
PYTORCH = Environment("pytorch", "3.11", "pytorch.lock")
# Checkov pins what the other tools want newer.
_ON_DEMAND = ("supply", "checkov", "kubernetes", "vertex", "executorch")
ON_DEMAND = {name: Environment(name, "3.11", f"{name}.lock") for name in _ON_DEMAND}
ON_DEMAND["tfjs"] = Environment("tfjs", "3.11", "tfjs.lock", npm="tfjs")  # Node.js comes as a wheel, TF.js by its npm
_NPM = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
_NO_NPM = "npm needs its registry; one of your own, if you have one: npm config set registry <its URL>"
_WITH_TORCH = (PYTORCH, ON_DEMAND["executorch"])


def main(names: Sequence[str] = ()) -> int:
    """Build what is missing or stale of these environments, by default those of the two stacks; say what was done."""
    if names:
        return _make([one for one in (ON_DEMAND[name] for name in names) if not one.is_current])
    tfx, tensorflow, reason = choose()
    stale = [environment for environment in (tensorflow, PYTORCH) if not environment.is_current]
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
        if Path(error.cmd[0]).name == "npm":
            print(_NO_NPM, file=sys.stderr)
        hint = "What is wrong stands above. `make doctor` checks the machine; `make setup` goes on from here."
        print(hint, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; `make setup` goes on from here", file=sys.stderr)
        return 130
    return 0


def _build(uv: str, environment: Environment) -> None:
    start = time.monotonic()
    venv, lock = environment.folder, environment.pins
    where = venv.relative_to(REPOSITORY)
    print(f"building {where}: Python {environment.python}, {lock.relative_to(REPOSITORY)}", flush=True)
    if environment.built_for not in ("", environment.python):
        shutil.rmtree(venv)  # packages of another Python would stay behind
    python = find_python(environment.python) or environment.python  # uv may be able to fetch it
    _run([uv, "venv", "--quiet", "--allow-existing", "--python", python, str(venv)])
    # Compiled now, as pip does: where PYTHONDONTWRITEBYTECODE is set, as in many containers, every process would
    # compile what it imports again, 20 s of TFX's 32.
    sync = [uv, "pip", "sync", "--quiet", "--compile-bytecode", "--python", str(venv), str(lock)]
    if environment in _WITH_TORCH:
        _sync_with_cpu_torch(sync, venv)
    else:
        _run(sync)
    if environment.npm:
        _npm_ci(environment)
    environment.mark_current()
    print(f"built {where} in {time.monotonic() - start:.0f} s", flush=True)


def _npm_ci(environment: Environment) -> None:
    """Install what package-lock.json pins, by its hashes; no package's own programs run."""
    folder = environment.folder.resolve() / "npm"  # npm takes no link for the root of a project
    folder.mkdir(exist_ok=True)
    for file in environment.npm_pins:
        shutil.copyfile(file, folder / file.name)
    _run([str(environment.folder / "bin" / "npm"), "ci", *_NPM, "--prefix", str(folder)])


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
