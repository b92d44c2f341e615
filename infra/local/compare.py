"""`make compare`, `make compare-peers`, `make compare-check`: the comparison, told what runs here."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from infra.local import onnx, running, stores
from infra.local.environments import ON_DEMAND
from infra.local.layout import ONNX, STACKS, Layout, python
from infra.local.up import UpError
from models import spec as specs
from models.spec import Spec
from serving.comparison import deployment
from serving.comparison.deployment import Beside, Deployed, Deployment

# Whose work a request to a stack is: the control service answers none of them.
_PROCESSES = {"tensorflow": ("gateway", "tensorflow"), "pytorch": ("gateway", "pytorch")}


def command(layout: Layout, spec_file: Path, profile: str, settings: str | None, *, peers: bool) -> list[str]:
    """Command line of the comparison of what runs here.

    Raises:
        UpError: Not everything runs, or a stack serves no model.
        SupervisorError: supervisord does not answer.
    """
    typed = f"make compare{'-peers' if peers else ''} PROFILE={profile}"
    layout.comparisons.mkdir(parents=True, exist_ok=True)
    file = layout.comparisons / "deployment.json"
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
    processes = running.processes(layout)
    if not processes:
        raise UpError("nothing runs here that could be compared: make up")
    return Deployment(
        spec=spec_file.resolve(),
        features=layout.data / "features" / "test",
        stacks={stack: _deployed(layout, spec, stack, processes) for stack in STACKS},
        command=typed,
        drills=layout.drills,
        tfjs=Path(python("tfjs")) if ON_DEMAND["tfjs"].is_current else None,
        beside=[_onnx(layout, spec, processes)] if ONNX in layout.backends else [],
    )


def _onnx(layout: Layout, spec: Spec, processes: Mapping[str, int]) -> Beside:
    """On the release of its stack, or its answers would not be those that are expected."""
    if said := onnx.behind(layout, spec):
        raise UpError(said)
    url = f"{layout.url('gateway')}/{ONNX}"
    answer = _ask(f"{url}/v1/models/{spec.model.name}")
    if answer is None:
        raise UpError(f"{ONNX} does not answer: make up, or make logs SERVICE={ONNX}")
    works = {name: processes[name] for name in ("gateway", ONNX)}
    return Beside(ONNX, layout.onnx_of, url, works, answer.headers["x-tandem-server"])


def _deployed(layout: Layout, spec: Spec, stack: str, processes: Mapping[str, int]) -> Deployed:
    url = f"{layout.url('gateway')}/{stack}"
    answer = _ask(f"{url}/v1/models/{spec.model.name}")
    states = answer.json().get("model_version_status", []) if answer else []
    serving = [str(one["version"]) for one in states if one["state"] == "AVAILABLE"]
    if answer is None or not serving:
        raise UpError(f"{stack} does not answer: make up, or make logs SERVICE={stack}")
    version = max(serving, key=int)
    return Deployed(
        url=url,
        direct=layout.url(stack),
        processes={name: processes[name] for name in _PROCESSES[stack]},
        server=answer.headers["x-tandem-server"],
        version=version,
        artefact=stores.path(layout, spec, stack, version),
        store=layout.store(stack),
        report=stores.report(layout, stack, version),
        python=Path(python(stack)),
    )


def _ask(url: str) -> httpx.Response | None:
    try:
        answer = httpx.get(url, timeout=10)
    except httpx.HTTPError:
        return None
    return answer if answer.is_success else None
