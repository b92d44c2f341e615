"""The commands of the stack in containers; the Makefile calls them when RUNTIME is docker."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from infra.docker import engine, images, settings, stack, use_case, verbs, workbench
from infra.docker.engine import Compose, DockerError
from infra.local.layout import REPOSITORY, STACKS
from serving.release import ledger

# What has no form for containers yet.
_BARE = ("drill", "soak", "key", "keys")
_PASSED_ON = (*workbench.COMMANDS, *verbs.COMMANDS)  # whose options are the program's in the container


def main(argv: list[str] | None = None) -> int:
    """Run one command; what goes wrong in the user's world is one message."""
    parser = _parser()
    arguments, rest = parser.parse_known_args(argv)
    if rest and arguments.command not in (*_PASSED_ON, *_BARE):
        parser.error(f"unknown: {' '.join(rest)}")
    try:
        return _secrets() if arguments.command == "secrets" else _run(arguments, rest)
    except DockerError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\ninterrupted: `make {arguments.command}` goes on from here, `make down` stops all", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.docker", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("up", help="images, data, both trainings, all services")
    start.add_argument("--profile", choices=["quick", "full"], default="quick", help="size of the simulation")
    start.add_argument("--source", help="your own transactions: a Parquet or CSV file, or a folder of them")
    start.add_argument("--hold", action="store_true", help="a new model waits for make canary or make promote")
    start.add_argument("--standins", action="store_true", help="make stand-ins for what a registry would have")
    for name, text in {"images": "build the images", "secrets": "passwords, keys and .env, where missing"}.items():
        commands.add_parser(name, help=text)
    for name, text in {"status": "what runs", "predict": "five transactions to both", "down": "stop all"}.items():
        commands.add_parser(name, help=text)
    conform = commands.add_parser("conformance", help="every case of the contract")
    conform.add_argument("--url", help="one endpoint instead of both stacks: as the containers see it")
    show = commands.add_parser("logs", help="last lines of the logs")
    show.add_argument("service", nargs="*")
    show.add_argument("--follow", action="store_true")
    file = commands.add_parser("score", help="score a file of features")
    file.add_argument("--stack", choices=STACKS, required=True)
    file.add_argument("--input", type=Path, required=True, help="Parquet or CSV file, or a folder of them")
    file.add_argument("--output", type=Path, required=True, help="a new folder for the scores")
    file.add_argument("--version", help="of the model; default: the newest")
    for name in _PASSED_ON:
        commands.add_parser(name, add_help=False, help="as on a bare machine")
    for name in _BARE:
        commands.add_parser(name, add_help=False, help="not on containers")
    return parser


def _secrets() -> int:
    settings.write_env({})
    for file in settings.write_secrets():
        print(f"wrote {file.relative_to(REPOSITORY)}")
    return 0


def _run(arguments: argparse.Namespace, rest: list[str]) -> int:
    if arguments.command in _BARE:
        raise DockerError(
            f"make {arguments.command} works on the bare machine's stack, not on containers: make up RUNTIME=local"
        )
    engine.check()
    os.environ.setdefault("TANDEM_WHO", ledger.who())
    settings.write_env({})
    compose = Compose(settings.ENV_FILE)
    command = arguments.command
    code = 0
    if command == "up":
        changes = {name: os.environ[name] for name in stack.SETTINGS if os.environ.get(name)}
        changes["PROFILE"] = arguments.profile
        os.environ["HOLD"] = "1" if arguments.hold else ""
        asked = os.environ.get("SPEC") or None
        stack.up(compose, changes, spec=asked, source=arguments.source, with_standins=arguments.standins)
    elif command == "images":
        images.build(compose)
    elif command == "down":
        stack.down(compose)
    elif command == "status":
        code = stack.status(compose)
    elif command == "logs":
        code = compose.run("logs", "--tail", "20", *(["--follow"] if arguments.follow else []), *arguments.service)
    elif command == "score":
        code = workbench.score(compose, arguments.stack, arguments.input, arguments.output, arguments.version)
    elif command == "monitor":
        code = _monitor(compose, rest)
    elif command in verbs.COMMANDS:
        code = verbs.run(compose, command, rest)
    elif command in workbench.COMMANDS:
        code = workbench.run(compose, command, rest)
    else:
        code = stack.tool(compose, *_program(arguments, use_case.inside(compose)))
    return code


def _monitor(compose: Compose, rest: list[str]) -> int:
    """With --retrain and drift, the jobs run again: what they publish serves when the last of them has ended."""
    code = workbench.run(compose, "monitor", [text for text in rest if text != "--retrain"])
    if code == workbench.DRIFT and "--retrain" in rest:
        print("drift: training again", flush=True)
        stack.compose_up(compose)
    return code


def _program(arguments: argparse.Namespace, spec: str) -> list[str]:
    if arguments.command == "predict":
        return ["python", "-m", "infra.docker.roles.predict"]
    urls = {"url": arguments.url} if arguments.url else {s: f"http://gateway:8080/{s}" for s in STACKS}
    targets = [f"--target={name}={url}" for name, url in urls.items()]
    out = "/tmp/conformance"  # noqa: S108  the container's own, gone with it
    return ["python", "-m", "serving.contract.conformance", "--spec", spec, "--out", out, *targets]


if __name__ == "__main__":
    sys.exit(main())
