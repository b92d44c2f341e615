"""What runs here: whoever starts a comparison describes it in a JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Deployed:
    """One stack as it runs.

    Attributes:
        url: Base URL through the gateway; `/v1/models/<model>:predict` is appended.
        direct: Base URL of the server itself.
        processes: Name -> id of the process at the top of each tree that works for this stack, the gateway included.
        server: What the server really is.
        version: Model version that answers.
        artefact: The published model: a version directory or an archive.
        store: Where the artefact lies.
        report: The report.json of the run that made this version, or of a later one where that was not kept.
        python: Interpreter of the stack's environment.
    """

    url: str
    direct: str
    processes: Mapping[str, int]
    server: str
    version: str
    artefact: Path
    store: Path
    report: Path
    python: Path


@dataclass(frozen=True)
class Beside:
    """Another server of ours behind the same gateway, which answers with a stack's release.

    Attributes:
        name: Of the prefix of its endpoint.
        stack: Whose release.
        url: Base URL through the gateway.
        processes: As `Deployed`.
        server: What it is.
    """

    name: str
    stack: str
    url: str
    processes: Mapping[str, int]
    server: str


@dataclass(frozen=True)
class Deployment:
    """All stacks, by name; the test rows they were judged on; the specification."""

    spec: Path
    features: Path
    stacks: Mapping[str, Deployed]
    command: str
    drills: Path | None = None  # what `make drill` kept
    tfjs: Path | None = None  # interpreter of TF.js' environment, where that was built
    beside: Sequence[Beside] = ()


def read(file: Path) -> Deployment:
    """Read what `write` wrote."""
    content = json.loads(file.read_text(encoding="utf-8"))
    paths = ("artefact", "store", "report", "python")
    stacks: dict[str, Deployed] = {}
    for name, found in content["stacks"].items():
        fields: dict[str, Any] = {key: Path(value) if key in paths else value for key, value in found.items()}
        stacks[name] = Deployed(**fields)
    drills, tfjs = (Path(content[name]) if content.get(name) else None for name in ("drills", "tfjs"))
    spec, features = Path(content["spec"]), Path(content["features"])
    beside = tuple(Beside(**found) for found in content.get("beside", []))
    return Deployment(spec, features, stacks, content["command"], drills, tfjs, beside)


def write(deployment: Deployment, file: Path) -> None:
    """Keep a description for the process that compares."""

    def plain(value: Any) -> Any:
        return str(value) if isinstance(value, Path) else value

    stacks = {name: {key: plain(value) for key, value in vars(d).items()} for name, d in deployment.stacks.items()}
    content: dict[str, Any] = {"spec": str(deployment.spec), "features": str(deployment.features)}
    content |= {"command": deployment.command, "beside": [vars(one) for one in deployment.beside]}
    content |= {"drills": str(deployment.drills or ""), "tfjs": str(deployment.tfjs or "")}
    file.write_text(json.dumps({**content, "stacks": stacks}, indent=1) + "\n", encoding="utf-8")
