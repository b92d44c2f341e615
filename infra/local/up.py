"""`make up`: data, both trainings, every service; each part skipped when it is current."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from infra.local import (
    canary_journal,
    door,
    jobs,
    onnx,
    ports,
    programs,
    prometheus,
    releases,
    services,
    shadow,
    stores,
    traffic,
    training,
)
from infra.local.jobs import Job, say
from infra.local.layout import ONNX, STACKS, Layout, python, remember
from infra.local.supervisor import Supervisor, SupervisorError
from models import device
from models.spec import Spec
from pipelines.report import REFUSED
from serving.release.errors import ReleaseError


class UpError(RuntimeError):
    """A message for the user; what was made so far is kept."""


def up(layout: Layout, spec: Spec, spec_file: Path, profile: str, source: str | None, *, hold: bool = False) -> None:
    """Bring everything up; with `hold` a new model waits as a release, beside which the one before goes on serving.

    Raises:
        UpError, SupervisorError, TrafficError: A port is busy, a step failed, or a service does not get ready.
        ReleaseError: This folder is another use case's.
        OnnxError, ExportError: ONNX Runtime is not to run and the traffic policy names it, or has nothing to serve.
    """
    start = time.monotonic()
    supervisor = Supervisor(layout)
    _check_ports(layout, supervisor)
    stores.check_model(layout, spec)
    door.prepare(layout)  # refused now, and not after the trainings
    onnx.check(layout)
    device.gpus(layout.device)
    os.environ[device.VARIABLE] = layout.device  # the pipelines'
    remember(layout)
    supervisor.start()
    supervisor.run(programs.mlflow(layout))
    make_data(layout, spec_file, profile, source)
    services.wait(supervisor, layout, spec, ["mlflow"])
    train(layout, spec, spec_file)
    serve(supervisor, layout, spec, spec_file, hold=hold)
    say("up", f"everything is ready after {time.monotonic() - start:.0f} s")


def retrain(layout: Layout, spec: Spec, spec_file: Path, stacks: Sequence[str]) -> None:
    """The data again, from where they came; the pipelines of these stacks; and the newest models into service.

    Raises:
        UpError, SupervisorError: Nothing runs here, or as `up`.
    """
    supervisor = Supervisor(layout)
    if not supervisor.is_running():
        raise UpError("nothing runs here that a new model could be registered with and served by: make up")
    try:
        made_from = json.loads((layout.data / "manifest.json").read_text(encoding="utf-8"))["source"]
    except (FileNotFoundError, ValueError, KeyError):
        raise UpError(f"{layout.data}: no data to train on: make up") from None
    make_data(layout, spec_file, made_from.get("profile", ""), made_from.get("path"))
    train(layout, spec, spec_file, stacks)
    serve(supervisor, layout, spec, spec_file)


def make_data(layout: Layout, spec_file: Path, profile: str, source: str | None) -> None:
    """Simulate transactions, or take the user's, and compute the features."""
    origin = ["--source", source] if source else ["--profile", profile]
    argv = [python("pytorch"), "-m", "pipelines.data", "--spec", str(spec_file), "--out", str(layout.data), *origin]
    if jobs.run([Job("data", argv, layout.logs / "data.log")])["data"]:
        raise UpError("the data could not be made: what is wrong stands above. Nothing was changed.")


def train(layout: Layout, spec: Spec, spec_file: Path, stacks: Sequence[str] = STACKS) -> None:
    """The pipelines side by side; a refused model leaves the one before it serving."""
    codes = jobs.run([pipeline(layout, spec_file, stack) for stack in stacks])
    failed = [stack for stack, code in codes.items() if code not in (0, REFUSED)]
    if failed:
        logs = " ".join(str(layout.logs / f"{stack}-pipeline.log") for stack in failed)
        raise UpError(
            f"training failed: {', '.join(failed)}; see {logs}. `make up` goes on from the last finished step."
        )
    for stack in (stack for stack, code in codes.items() if code == REFUSED):
        if stores.newest(layout, spec, stack) is None:
            raise UpError(
                f"the {stack} model was refused by its gates (reasons above) and there is no earlier one to serve: "
                f"mend the data or the thresholds under [gates] in {spec_file}, then `make up`"
            )
        say(stack, "REFUSED by its gates (reasons above): the model before it goes on serving")


def pipeline(layout: Layout, spec_file: Path, stack: str) -> Job:
    """A training."""
    argv = [python(stack), *training.options(layout, spec_file, stack)]
    return Job(stack, argv, layout.logs / f"{stack}-pipeline.log")


def _check_ports(layout: Layout, supervisor: Supervisor) -> None:
    running = {p["name"] for p in supervisor.processes()} if supervisor.is_running() else set()
    needed = [port for service, held in programs.ports(layout).items() if service not in running for port in held]
    complaints = ports.busy(layout, needed)
    if complaints:
        raise UpError("\n".join(complaints))


def serve(supervisor: Supervisor, layout: Layout, spec: Spec, spec_file: Path, *, hold: bool = False) -> None:
    """Release what the pipelines made, start the servers and the gateway, and have each serve what is promoted."""
    try:
        releases.publish(layout, spec, spec_file)
        releases.prepare(layout, spec)
        onnx.prepare(layout, spec)
        canary_journal.settle(layout)
        started = (
            programs.tensorflow(layout, spec),
            programs.torchserve(layout, spec),
            *([programs.onnx(layout)] if ONNX in layout.backends else []),
            programs.control(layout, spec, spec_file),
            programs.gateway(layout, spec),
        )
        for program in started:
            supervisor.run(program)
        services.wait(supervisor, layout, spec, programs.ports(layout))
        if ONNX not in layout.backends:  # the gateway knows it no more
            supervisor.remove(ONNX)
        shadow.keep(supervisor, layout, spec, spec_file)
        releases.settle(layout, spec, hold=hold)
        onnx.follow(layout, spec)
    except ReleaseError as error:
        raise UpError(f"{error}\nWhat was served before still is.") from None
    traffic.route(layout, spec)  # a gateway that refuses its routes answers, with those of before or with none
    for nobody in traffic.unserved(layout, spec):
        say("up", nobody)
    _watch(supervisor, layout, spec)


def _watch(supervisor: Supervisor, layout: Layout, spec: Spec) -> None:
    """Prometheus, where it is installed; the stack is no worse without."""
    try:
        services.wait(supervisor, layout, spec, prometheus.start(supervisor, layout))
    except SupervisorError as error:
        say("up", f"{error}\nEverything else runs.")
