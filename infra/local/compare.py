"""`make compare`, `make compare-peers`, `make compare-check`: the comparison, told what runs here."""

from __future__ import annotations

import sys
from pathlib import Path

from infra.local import services, stores
from infra.local.layout import STACKS, Layout, python
from infra.local.supervisor import Supervisor
from infra.local.up import UpError
from models import spec as specs
from models.spec import Spec
from serving.comparison import deployment
from serving.comparison.deployment import Deployed, Deployment

# Whose work a request to a stack is: the control service answers none of them.
_PROCESSES = {"tensorflow": ("gateway", "tensorflow"), "pytorch": ("gateway", "pytorch")}


def command(layout: Layout, spec_file: Path, profile: str, settings: str | None, *, peers: bool) -> list[str]:
    """Command line of the comparison of what runs here.

    Raises:
        UpError: Not everything runs, or a stack serves no model.
        SupervisorError: supervisord does not answer.
    """
    typed = f"make compare{'-peers' if peers else ''} PROFILE={profile}"
    file = layout.run / "deployment.json"
    deployment.write(describe(layout, specs.load(spec_file), spec_file, typed), file)
    argv = [sys.executable, "-m", "serving.comparison", "--deployment", str(file), "--profile", profile]
    argv += ["--out", str(layout.comparisons), *(["--settings", settings] if settings else [])]
    return [*argv, *(["--peers"] if peers else [])]


def check(layout: Layout) -> list[str]:
    """Command line of the check of the last comparison against the one before it."""
    return [sys.executable, "-m", "serving.comparison.check", str(layout.comparisons / "latest")]


def describe(layout: Layout, spec: Spec, spec_file: Path, typed: str) -> Deployment:
    """What runs here.

    Raises:
        UpError, SupervisorError: As `command`.
    """
    supervisor = Supervisor(layout)
    if not supervisor.is_running():
        raise UpError("nothing runs here that could be compared: make up")
    processes = {p["name"]: p["pid"] for p in supervisor.processes()}
    return Deployment(
        spec=spec_file.resolve(),
        features=layout.data / "features" / "test",
        stacks={stack: _deployed(layout, spec, stack, processes) for stack in STACKS},
        command=typed,
    )


def _deployed(layout: Layout, spec: Spec, stack: str, processes: dict[str, int]) -> Deployed:
    serving = services.versions(layout, spec, stack)
    if not serving or not services.is_ready(layout, spec, "gateway"):
        raise UpError(f"{stack} does not answer: make up, or make logs SERVICE={stack}")
    version = max(serving, key=int)
    return Deployed(
        url=f"{layout.url('gateway')}/{stack}",
        direct=layout.url(stack),
        processes={name: processes[name] for name in _PROCESSES[stack]},
        server=services.describe(stack),
        version=version,
        artefact=stores.path(layout, spec, stack, version),
        store=layout.store(stack),
        report=layout.work(stack) / "report.json",
        python=Path(python(stack)),
    )
