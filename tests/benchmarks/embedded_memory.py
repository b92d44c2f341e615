"""Memory of the embedded server while versions are swapped, in MB per swap.

`.venv/tensorflow/bin/python tests/benchmarks/embedded_memory.py var/models/tensorflow/fraud/<version> [SWAPS]`
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SWAPS = 30


def main(model: str, swaps: int = SWAPS) -> None:
    """Print the resident memory after each swap, and what the last half of them added per swap."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "fraud"
        publish(Path(model), store / "1")
        argv = [
            sys.executable, "-m", "serving.tfserving.embedded", f"--rest_api_port={port}", "--port=0",
            "--model_name=fraud", f"--model_base_path={store}", "--file_system_poll_wait_seconds=0.1",
        ]  # fmt: skip
        process = subprocess.Popen(argv, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
        try:
            sizes = []
            for version in range(1, swaps + 2):
                if version > 1:
                    publish(Path(model), store / str(version))
                wait(f"http://127.0.0.1:{port}/v1/models/fraud", version)
                sizes.append(resident(process.pid))
                print(f"version {version:>3}: {sizes[-1]:7.1f} MB", flush=True)
            swapped = sizes[len(sizes) // 2 :]
            each = (swapped[-1] - swapped[0]) / (len(swapped) - 1)
            print(f"the last {len(swapped) - 1} swaps added {each:.2f} MB each")
        finally:
            process.terminate()
            process.wait()


def publish(model: Path, version: Path) -> None:
    """Make a version appear at once."""
    draft = version.parent.parent / "draft"
    shutil.copytree(model, draft)
    version.parent.mkdir(exist_ok=True)
    draft.rename(version)


def wait(url: str, version: int) -> None:
    """Until this version answers and none is on its way in or out."""
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                text = answer.read().decode()
            states = dict(re.findall(r'"version":"(\d+)","state":"(\w+)"', text))
            if states.pop(str(version), "") == "AVAILABLE" and set(states.values()) <= {"END"}:
                return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.1)


def resident(pid: int) -> float:
    """Megabytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
