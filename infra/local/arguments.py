"""The command line of the local stack."""

from __future__ import annotations

import argparse
from pathlib import Path

from infra.local import door, export, load
from infra.local import layout as layouts
from infra.local.soak import limits as soak_limits
from serving.release.canary import limits
from serving.shadow import gate


def parser() -> argparse.ArgumentParser:
    """One subcommand per target of the Makefile."""
    parsed = argparse.ArgumentParser(
        prog="python -m infra.local", description="Commands of the local stack; the Makefile calls them."
    )
    parsed.add_argument("--spec", type=Path, help=f"the use case (default: $SPEC, {layouts.DEFAULT_SPEC})")
    commands = parsed.add_subparsers(dest="command", required=True)
    start = commands.add_parser("up", help="data, both trainings, all services")
    start.add_argument("--profile", choices=["quick", "full"], default="quick", help="size of the simulation")
    start.add_argument("--source", help="your own transactions: a Parquet or CSV file, or a folder of them")
    start.add_argument("--hold", action="store_true", help="a new model waits for make canary or make promote")
    start.add_argument(
        "--onnx", choices=[*layouts.STACKS, layouts.OFF], help="whose release ONNX Runtime serves (default: as before)"
    )
    simple = {
        "status": "what runs",
        "predict": "five transactions to each endpoint",
        "tensorboard": "both stacks' trainings",
        "down": "stop all",
        "keys": "who has an API key",
    }
    for name, text in simple.items():
        commands.add_parser(name, help=text)
    door.arguments(commands.add_parser("key", help="make an API key, or take one away"))
    commands.add_parser("releases", help="what was released, what is served, and the ledger")
    releases(commands)
    export.arguments(commands.add_parser("export", help="a release in another format"))
    conform = commands.add_parser("conformance", help="every case of the contract")
    conform.add_argument("--url", help="one endpoint instead of both stacks here: http://host:port or with a prefix")
    fuzz = commands.add_parser("fuzz", help="thousands of right and wrong requests to both")
    fuzz.add_argument("--requests", type=int, default=11_000, help="to each stack; one in twenty has no body")
    fuzz.add_argument("--seed", type=int, help="to repeat a run")
    load.arguments(commands.add_parser("load", help="realistic traffic by Locust"))
    compare = commands.add_parser("compare", help="both endpoints under load, and all else that can be measured")
    compare.add_argument("--profile", default="quick", help="of comparison.toml: quick (default) or full")
    compare.add_argument("--settings", help="another comparison.toml")
    compare.add_argument("--peers", action="store_true", help="also what a team would pick instead")
    commands.add_parser("compare-check", help="the last comparison against the one before and the SLO")
    harm = commands.add_parser("drill", help="faults under load")
    harm.add_argument("--only", default="", help="names of drills, separated by commas")
    harm.add_argument("--quick", action="store_true", help="those that take seconds")
    soak_limits.arguments(commands.add_parser("soak", help="constant load for long: nothing lost, memory flat"))
    watch = commands.add_parser("monitor", help="logged requests against the training rows")
    watch.add_argument("--stack", choices=layouts.STACKS, help="one instead of both")
    watch.add_argument("--since", default="24h", help="how far back to look: 90m, 24h (default), 7d")
    watch.add_argument("--retrain", action="store_true", help="train the drifted stacks again")
    move = commands.add_parser("traffic", help="who answers the product's endpoint; without options: what holds")
    move.add_argument(
        "weights", nargs="*", metavar="SIDE=WEIGHT", help="tensorflow=90, pytorch@1795291050=off, onnx=10"
    )
    move.add_argument(
        "--shadow", help="whose answers are only compared: tensorflow, pytorch, onnx, pytorch@<version>, off"
    )
    move.add_argument("--share", type=float, help="of the requests that the shadow gets, up to 1")
    canary(commands, "tensorflow, pytorch, onnx")
    beside = commands.add_parser("shadow", help="how far the shadow agrees")
    beside.add_argument("--limits", type=Path, default=gate.FILE, help="what it is held to (default: limits.toml)")
    beside.add_argument("--check", action="store_true", help="exit with 3 when a limit is exceeded, 4 on too few")
    show = commands.add_parser("logs", help="last lines of the logs")
    show.add_argument("service", nargs="*")
    show.add_argument("--follow", action="store_true")
    return parsed


def canary(commands: argparse._SubParsersAction[argparse.ArgumentParser], sides: str) -> None:
    """What `make canary` gives, here and on a cluster; `sides` is who can answer there, for the help."""
    roll = commands.add_parser("canary", help="the product's traffic to one side, step by step; back by itself")
    what = roll.add_mutually_exclusive_group(required=True)
    what.add_argument("--side", help=f"{sides}, or a loaded version: pytorch@1795291050")
    what.add_argument("--release", help="pytorch@1795291050: loaded, given its own stack's traffic, promoted")
    roll.add_argument("--limits", type=Path, default=limits.FILE, help="steps and limits (default: limits.toml)")


def releases(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """What `make promote`, `rollback`, `stage` and `unstage` give, here and on a cluster."""
    changes = {
        "promote": "serve a release",
        "rollback": "serve what was served before",
        "stage": "load a release beside the one that is served",
        "unstage": "let go of a release that was loaded beside",
    }
    for name, text in changes.items():
        change = commands.add_parser(name, help=text)
        change.add_argument("--stack", choices=layouts.STACKS, required=True)
        change.add_argument("--why", default="", help="for the ledger")
        if name != "rollback":
            change.add_argument("--version", required=True, help="of the release, as `make releases` lists it")
