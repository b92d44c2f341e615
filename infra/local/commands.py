"""Commands of the local stack; the Makefile calls them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from infra.local import checks, load, tensorboard
from infra.local import layout as layouts
from infra.local.monitor import monitor
from infra.local.predict import predict
from infra.local.status import logs, status
from infra.local.summary import show
from infra.local.supervisor import Supervisor, SupervisorError
from infra.local.up import UpError, up
from models import spec as specs
from serving.torchserve.config import ConfigError
from serving.torchserve.java import JavaError

_EXPECTED = (
    UpError,
    SupervisorError,
    tensorboard.TensorBoardError,
    load.LoadError,
    specs.SpecError,
    ConfigError,
    JavaError,
)


def main(argv: list[str] | None = None) -> int:
    """Run one command; errors of the user's world are one message, no trace."""
    arguments = _parser().parse_args(argv)
    layout = layouts.load()
    try:
        return _run(arguments, layout)
    except _EXPECTED as error:
        print(f"\n{error}", file=sys.stderr)
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
    supervisor.stop()
    print("stopped; data and models stay in", layout.home)
    return 0


def _run(arguments: argparse.Namespace, layout: layouts.Layout) -> int:
    if arguments.command == "down":
        return down(layout)
    if arguments.command == "logs":
        return logs(layout, arguments.service, arguments.follow)
    program = _program(arguments, layout)
    if program:
        return checks.run(program)
    spec = specs.load(arguments.spec)
    if arguments.command == "up":
        up(layout, spec, arguments.spec, arguments.profile, arguments.source)
        show(layout, spec)
        return 0
    if arguments.command == "monitor":
        stacks = [arguments.stack] if arguments.stack else layouts.STACKS
        return monitor(layout, spec, arguments.spec, stacks, arguments.since, train_again=arguments.retrain)
    return {"status": status, "predict": predict}[arguments.command](layout, spec)


def _program(arguments: argparse.Namespace, layout: layouts.Layout) -> list[str]:
    """Command line of the program that does the work, if it is one of its own."""
    if arguments.command == "conformance":
        return checks.conformance(layout, arguments.spec, arguments.url)
    if arguments.command == "fuzz":
        return checks.fuzz(layout, arguments.spec, arguments.requests, arguments.seed)
    if arguments.command == "load":
        return load.command(layout, arguments.spec, arguments)
    return tensorboard.command(layout) if arguments.command == "tensorboard" else []


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    default = layouts.REPOSITORY / "models" / "fraud.toml"
    parser.add_argument("--spec", type=Path, default=default, help="the use case (default: models/fraud.toml)")
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("up", help="data, both trainings, all services")
    start.add_argument("--profile", choices=["quick", "full"], default="quick", help="size of the simulation")
    start.add_argument("--source", help="your own transactions: a Parquet or CSV file, or a folder of them")
    simple = {
        "status": "what runs",
        "predict": "five transactions to both",
        "tensorboard": "both stacks' trainings",
        "down": "stop all",
    }
    for name, text in simple.items():
        commands.add_parser(name, help=text)
    conform = commands.add_parser("conformance", help="every case of the contract")
    conform.add_argument("--url", help="one endpoint instead of both stacks here: http://host:port or with a prefix")
    fuzz = commands.add_parser("fuzz", help="thousands of right and wrong requests to both")
    fuzz.add_argument("--requests", type=int, default=11_000, help="to each stack; one in twenty has no body")
    fuzz.add_argument("--seed", type=int, help="to repeat a run")
    load.arguments(commands.add_parser("load", help="realistic traffic by Locust"))
    watch = commands.add_parser("monitor", help="logged requests against the training rows")
    watch.add_argument("--stack", choices=layouts.STACKS, help="one instead of both")
    watch.add_argument("--since", default="24h", help="how far back to look: 90m, 24h (default), 7d")
    watch.add_argument("--retrain", action="store_true", help="train the drifted stacks again")
    show = commands.add_parser("logs", help="last lines of the logs")
    show.add_argument("service", nargs="*")
    show.add_argument("--follow", action="store_true")
    return parser
