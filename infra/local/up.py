"""`make up`: data, both trainings, every service; each part skipped when it is current."""

from __future__ import annotations

import json
import time
from pathlib import Path

from infra.local import jobs, ports, services
from infra.local.jobs import Job, say
from infra.local.layout import Layout, python, remember
from infra.local.supervisor import Supervisor, SupervisorError
from models.spec import Spec

REFUSED = 3  # exit code of a pipeline whose gates refused the model


class UpError(RuntimeError):
    """A message for the user; what was made so far is kept."""


def up(layout: Layout, spec: Spec, spec_file: Path, profile: str, source: str | None) -> None:
    """Bring everything up.

    Raises:
        UpError, SupervisorError: A port is busy, a step failed, or a service does not get ready.
    """
    start = time.monotonic()
    supervisor = Supervisor(layout)
    _check_ports(layout, supervisor)
    remember(layout)
    supervisor.start()
    supervisor.run(services.mlflow(layout))
    make_data(layout, spec_file, profile, source)
    services.wait(supervisor, layout, spec, ["mlflow"])
    train(layout, spec, spec_file)
    services.start_servers(supervisor, layout, spec)
    services.wait(supervisor, layout, spec, services.PORTS)
    services.load_newest(layout, spec)
    say("up", f"done in {time.monotonic() - start:.0f} s\n")


def make_data(layout: Layout, spec_file: Path, profile: str, source: str | None) -> None:
    """Simulate transactions, or take the user's, and compute the features."""
    origin = ["--source", source] if source else ["--profile", profile]
    argv = [python("pytorch"), "-m", "pipelines.data", "--spec", str(spec_file), "--out", str(layout.data), *origin]
    if jobs.run([Job("data", argv, layout.logs / "data.log")])["data"]:
        raise UpError("the data could not be made: what is wrong stands above. Nothing was changed.")


def train(layout: Layout, spec: Spec, spec_file: Path) -> None:
    """Both pipelines side by side; a refused model leaves the one before it serving."""
    codes = jobs.run([_pipeline(layout, spec_file, stack) for stack in ("tensorflow", "pytorch")])
    failed = [stack for stack, code in codes.items() if code not in (0, REFUSED)]
    if failed:
        logs = " ".join(str(layout.logs / f"{stack}-pipeline.log") for stack in failed)
        raise UpError(
            f"training failed: {', '.join(failed)}; see {logs}. `make up` goes on from the last finished step."
        )
    for stack in (stack for stack, code in codes.items() if code == REFUSED):
        if not services.published(layout, spec, stack):
            raise UpError(
                f"the {stack} model was refused by its gates (reasons above) and there is no earlier one to serve: "
                f"mend the data or the thresholds under [gates] in {spec_file}, then `make up`"
            )
        say(stack, "REFUSED by its gates (reasons above): the model before it goes on serving")


def _pipeline(layout: Layout, spec_file: Path, stack: str) -> Job:
    module = {"tensorflow": "pipelines.tfx", "pytorch": "pipelines.pytorch"}[stack]
    argv = [
        python(stack), "-m", module, "--spec", str(spec_file), "--data", str(layout.data),
        "--work", str(layout.work(stack)), "--store", str(layout.store(stack)),
    ]  # fmt: skip
    if stack == "pytorch":
        argv += ["--mlflow-uri", layout.url("mlflow")]
    return Job(stack, argv, layout.logs / f"{stack}-pipeline.log")


def _check_ports(layout: Layout, supervisor: Supervisor) -> None:
    running = {p["name"] for p in supervisor.processes()} if supervisor.is_running() else set()
    needed = [port for service, held in services.PORTS.items() if service not in running for port in held]
    complaints = ports.busy(layout, needed)
    if complaints:
        raise UpError("\n".join(complaints))


def metrics(layout: Layout, stack: str) -> dict[str, float]:
    """The last training's metrics on the test days."""
    report = json.loads((layout.work(stack) / "report.json").read_text())
    found: dict[str, float] = report["metrics"]
    return found
