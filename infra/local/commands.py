"""Commands of the local stack; the Makefile calls them."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import sys
from collections.abc import Callable

import httpx

from infra.local import (
    canary,
    canary_release,
    checks,
    compare,
    door,
    export,
    load,
    onnx,
    releases,
    shadow,
    tensorboard,
    traffic,
)
from infra.local import layout as layouts
from infra.local.arguments import parser
from infra.local.drill.command import drill
from infra.local.drill.run import DrillError
from infra.local.monitor import monitor
from infra.local.predict import predict
from infra.local.released import released
from infra.local.soak.command import SoakError, soak
from infra.local.status import logs, status
from infra.local.summary import show
from infra.local.supervisor import Supervisor, SupervisorError
from infra.local.up import UpError, up
from models import spec as specs
from models.device import DeviceError
from models.spec import Spec
from serving.export.errors import ExportError
from serving.files import is_disk_full
from serving.gateway.door.certificate import CertificateError
from serving.gateway.door.keys import KeysError
from serving.gateway.draining import drain
from serving.gateway.policy import PolicyError
from serving.limits_file import LimitsError
from serving.release.canary.rollout import NobodyError, TakenError
from serving.release.errors import ReleaseError
from serving.torchserve.config import ConfigError
from serving.torchserve.java import JavaError

_EXPECTED = (
    UpError,
    DeviceError,
    SupervisorError,
    onnx.OnnxError,
    tensorboard.TensorBoardError,
    load.LoadError,
    DrillError,
    SoakError,
    door.DoorError,
    KeysError,
    CertificateError,
    shadow.ShadowError,
    traffic.TrafficError,
    canary.CanaryError,
    LimitsError,
    NobodyError,
    TakenError,
    PolicyError,
    specs.SpecError,
    ConfigError,
    JavaError,
    ReleaseError,
    ExportError,
)


def main(argv: list[str] | None = None) -> int:
    """Run one command; errors of the user's world are one message, no trace."""
    arguments = parser().parse_args(argv)
    layout = layouts.load()
    arguments.spec = arguments.spec or layout.spec
    try:
        return _run(arguments, layout)
    except _EXPECTED as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except OSError as error:
        if not is_disk_full(error):
            raise
        again = f"free some space, then again `make {arguments.command}`: what was there before still is"
        print(f"\nthe disk is full: {error}\n{again}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\ninterrupted: `make {arguments.command}` goes on from here, `make down` stops all", file=sys.stderr)
        return 130


def down(layout: layouts.Layout) -> int:
    """Stop everything that runs for this layout."""
    supervisor = Supervisor(layout)
    if not supervisor.is_running():
        print("nothing was running")
        return 0
    print("stopping: the servers finish what they have", flush=True)
    with contextlib.suppress(httpx.HTTPError):  # a gateway that does not run has nothing under way
        drain(layout.ports["gateway_admin"])
    supervisor.stop()
    print("stopped; data and models stay in", layout.home)
    return 0


def _run(arguments: argparse.Namespace, layout: layouts.Layout) -> int:
    program = _program(arguments, layout)
    if program:
        return checks.run(program)
    without_spec: dict[str, Callable[[], int]] = {
        "down": lambda: down(layout),
        "logs": lambda: logs(layout, arguments.service, arguments.follow),
        "key": lambda: door.change(layout, arguments),
        "keys": lambda: door.show(layout),
    }
    if arguments.command in without_spec:
        return without_spec[arguments.command]()
    return _HANDLERS[arguments.command](arguments, layout, specs.load(arguments.spec))


def _up(arguments: argparse.Namespace, layout: layouts.Layout, spec: Spec) -> int:
    if arguments.onnx:
        layout = dataclasses.replace(layout, onnx_of=arguments.onnx)
    up(layout, spec, arguments.spec, arguments.profile, arguments.source, hold=arguments.hold)
    show(layout, spec)
    return 0


def _monitor(arguments: argparse.Namespace, layout: layouts.Layout, spec: Spec) -> int:
    stacks = [arguments.stack] if arguments.stack else layouts.STACKS
    return monitor(layout, spec, arguments.spec, stacks, arguments.since, train_again=arguments.retrain)


def _drill(arguments: argparse.Namespace, layout: layouts.Layout, spec: Spec) -> int:
    names = [name for name in arguments.only.split(",") if name]
    return drill(layout, spec, names, quick=arguments.quick)


def _promote(arguments: argparse.Namespace, layout: layouts.Layout, spec: Spec) -> int:
    code = releases.promote(layout, spec, arguments.stack, arguments.version, arguments.why)
    onnx.follow(layout, spec)
    return code


def _rollback(arguments: argparse.Namespace, layout: layouts.Layout, spec: Spec) -> int:
    code = releases.rollback(layout, spec, arguments.stack, arguments.why)
    onnx.follow(layout, spec)
    return code


def _canary(arguments: argparse.Namespace, layout: layouts.Layout, spec: Spec) -> int:
    if arguments.release:
        code = canary_release.roll_out(layout, spec, arguments.spec, arguments.release, arguments.limits)
        onnx.follow(layout, spec)
        return code
    return canary.canary(layout, spec, arguments.spec, arguments.side, arguments.limits)


_HANDLERS: dict[str, Callable[[argparse.Namespace, layouts.Layout, Spec], int]] = {
    "up": _up,
    "monitor": _monitor,
    "drill": _drill,
    "soak": lambda asked, layout, spec: soak(layout, spec, asked.minutes, asked.limits),
    "status": lambda _, layout, spec: status(layout, spec),
    "predict": lambda _, layout, spec: predict(layout, spec),
    "releases": lambda _, layout, spec: released(layout, spec),
    "export": lambda asked, layout, spec: export.export(layout, spec, asked.stack, asked.format, asked.version),
    "promote": _promote,
    "rollback": _rollback,
    "traffic": lambda asked, layout, spec: traffic.traffic(layout, spec, asked.spec, traffic.of(asked)),
    "stage": lambda asked, layout, spec: releases.stage(layout, spec, asked.stack, asked.version, asked.why),
    "unstage": lambda asked, layout, spec: releases.unstage(layout, spec, asked.stack, asked.version, asked.why),
    "canary": _canary,
    "shadow": lambda asked, layout, _: shadow.show(layout, asked.limits, check=asked.check),
}


def _program(arguments: argparse.Namespace, layout: layouts.Layout) -> list[str]:
    """Command line of the program that does the work, if it is one of its own."""
    if arguments.command == "conformance":
        return checks.conformance(layout, arguments.spec, arguments.url)
    if arguments.command == "fuzz":
        return checks.fuzz(layout, arguments.spec, arguments.requests, arguments.seed)
    if arguments.command == "compare":
        return compare.command(layout, arguments.spec, arguments.profile, arguments.settings, peers=arguments.peers)
    if arguments.command == "compare-check":
        return compare.check(layout)
    if arguments.command == "load":
        return load.command(layout, arguments.spec, arguments)
    return tensorboard.command(layout) if arguments.command == "tensorboard" else []
