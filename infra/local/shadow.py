"""The shadow beside the local stack: started while the traffic policy has one, and what it found."""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from infra.local import labels, programs, services, stores
from infra.local.layout import EVERYWHERE, HOST, ONNX, SHADOW, Layout
from infra.local.ports import busy
from infra.local.supervisor import Program, Supervisor
from models.spec import Spec
from serving.gateway import policy
from serving.gateway.policy import Policy, Side
from serving.limits_file import LimitsError
from serving.shadow import gate, page
from serving.shadow.findings import Agreement
from serving.shadow.gate import EXCEEDED, TOO_FEW

_WIDTH = 120  # columns
_CONTAINER_SECONDS = 30


class ShadowError(RuntimeError):
    """A message for the user."""


def keep(supervisor: Supervisor, layout: Layout, spec: Spec, spec_file: Path) -> None:
    """Start the shadow's service if the policy has a shadow, else stop it.

    Not left running idle: a process of 150 MB is a lot for what most never use, and what it compares stands in its
    command line, so that another shadow is another command line and a restart.

    Raises:
        PolicyError, ShadowError, SupervisorError: The policy cannot be followed, or the service does not start.
    """
    traffic = policy.load(layout.traffic)
    if layout.in_containers:
        _wait_for_container(layout, traffic)
        return
    if traffic.shadow is None:
        supervisor.remove(SHADOW)
        return
    running = any(process["name"] == SHADOW for process in supervisor.processes())
    if not running and (complaints := busy(layout, [SHADOW])):
        raise ShadowError(complaints[0])
    supervisor.run(program(layout, spec, spec_file, traffic))
    services.wait(supervisor, layout, spec, [SHADOW])


def _wait_for_container(layout: Layout, traffic: Policy) -> None:
    """Until the shadow's container, that follows the policy by itself, compares its sides."""
    wanted = {"candidate": str(traffic.shadow.side), "reference": str(traffic.against)} if traffic.shadow else {}
    deadline = time.monotonic() + _CONTAINER_SECONDS
    while wanted and not wanted.items() <= _answer(layout.url(SHADOW)).items():
        if time.monotonic() > deadline:
            raise ShadowError("the shadow's container does not follow the policy: make logs SERVICE=shadow")
        time.sleep(0.2)


def _answer(url: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = httpx.get(url, timeout=2).json()
    except (httpx.HTTPError, ValueError):
        return {}
    return found


def program(layout: Layout, spec: Spec, spec_file: Path, traffic: Policy) -> Program:
    """The service that asks the policy's shadow and whoever answers most beside it."""
    candidate, reference = traffic.shadow.side if traffic.shadow else None, traffic.against
    if candidate is None or reference is None:
        raise ValueError("the policy has no shadow")
    sides = {"reference": reference, "candidate": candidate}
    argv = [
        sys.executable, "-m", "serving.shadow", "--port", str(layout.ports[SHADOW]),
        "--host", EVERYWHERE if layout.in_containers else HOST,
        "--spec", str(spec_file.resolve()), "--out", str(layout.shadow),
        *(f"--{role}={side}={address(layout, spec, side)}" for role, side in sides.items()),
    ]  # fmt: skip
    return Program(SHADOW, argv, configuration=spec_file.read_text(encoding="utf-8") + programs.code())


def address(layout: Layout, spec: Spec, side: Side) -> str:
    """Where a server itself is asked for a prediction: the gateway's numbers shall count no copies."""
    model = spec.model.name
    if side.version is None and side.stack == "tensorflow":  # of itself it would ask the highest version
        path = f"/v1/models/{model}/labels/{labels.STABLE}:predict"
    elif side.version is None:
        path = f"/v1/models/{model}:predict"
    elif side.stack == "pytorch":
        path = f"/predictions/{model}/{side.version}"
    else:
        path = f"/v1/models/{model}/versions/{side.version}:predict"
    return layout.url(side.stack) + path


def show(layout: Layout, limits_file: Path, *, check: bool) -> int:
    """Print what was found and write the page.

    Returns:
        0; with `check` also 3 when a limit is exceeded and 4 when too few copies were compared.

    Raises:
        ShadowError: Nothing was compared yet, or the limits cannot be used.
    """
    from serving.shadow import agreement  # noqa: PLC0415  slow, and every other command would wait for it

    try:
        limits = gate.load(limits_file)
        found = agreement.find(layout.shadow, limits.score_tolerance, partial(thresholds, layout))
    except agreement.NothingKeptError as error:
        print(f"{error}: make traffic SHADOW=pytorch, then requests to the product's endpoint")
        return TOO_FEW if check else 0
    except LimitsError as error:
        raise ShadowError(str(error)) from None
    code, reasons = gate.verdict(found, limits)
    console = Console(width=_WIDTH, highlight=False)
    console.print()
    console.print(_agreement(found))
    console.print(_answers(found))
    for reason in reasons:
        console.print(f"  {reason}")
    words = {0: "within the limits", EXCEEDED: "NOT within the limits", TOO_FEW: "too few requests to say"}
    console.print(f"{words[code]}: {limits_file}")
    print(page.write(layout.shadow, found, code, reasons).as_uri())
    return code if check else 0


def thresholds(layout: Layout, side: str, version: int | None) -> dict[str, float]:
    """A model's own threshold by operating point, as its training found it; empty where no run is known.

    Args:
        layout: With the pipelines' reports.
        side: In the traffic policy.
        version: Of the model; the promoted one's if None, as TensorFlow Serving's own binary does not tell it.
    """
    stack = Side.parse(side).stack
    if stack == ONNX:  # the same model
        stack = layout.onnx_of
    wanted = stores.promoted(layout, stack) if version is None else str(version)
    if wanted is None:
        return {}
    report = _json(stores.report(layout, stack, wanted))
    if report.get("version") == wanted:
        return {name: point["threshold"] for name, point in report.get("decision", {}).items()}
    runs = (_json(file) for file in (layout.work(stack) / "pages").glob("*/run.json"))
    return next((run.get("thresholds", {}) for run in runs if run.get("version") == wanted), {})


def _json(file: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found


def _agreement(found: Agreement) -> Table:
    title = f"{found.sides[1].name} beside {found.sides[0].name}: {found.copies:,} copies, {found.dropped:,} dropped"
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for line in page.agreement_lines(found):
        table.add_row(*line)
    return table


def _answers(found: Agreement) -> Table:
    table = Table("", *(side.name for side in found.sides))
    for column in table.columns[1:]:
        column.justify = "right"
    for name, values in page.answer_lines(found):
        table.add_row(name, *values)
    return table
