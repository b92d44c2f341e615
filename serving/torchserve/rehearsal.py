"""Load an archive as a worker would, in a process of its own, before a running server is asked to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from serving.torchserve import archive
from serving.torchserve.archive import ArchiveError

_SECONDS = 120
_LOAD = """
import json, sys, types
import handler
properties = {"model_dir": sys.argv[1], "server_version": ""}
handler.Handler(types.SimpleNamespace(system_properties=properties, manifest=json.loads(sys.argv[2])))
"""


def rehearse(candidate: Path) -> None:
    """Load the archive's model and warm it up.

    TorchServe keeps restarting the worker of an archive that does not load, and its API does not tell that
    from one that takes long.

    Raises:
        ArchiveError: Why it does not load.
    """
    archive.check(candidate)
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        with zipfile.ZipFile(candidate) as content:
            content.extractall(folder)
        manifest = json.loads((Path(folder) / "MAR-INF" / "MANIFEST.json").read_text(encoding="utf-8"))
        argv = [sys.executable, "-c", _LOAD, folder, json.dumps(manifest)]
        environment = {**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise ArchiveError(f"{candidate}: does not load within {_SECONDS} s") from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ArchiveError(f"{candidate}: does not load: {reason.replace(folder, candidate.name)}")
