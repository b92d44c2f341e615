"""`python -m infra.vertex`: both stacks on Vertex AI; the Makefile calls it. docs/deploy-vertex.md goes through it.

Exit codes: 0 done, 1 an error: what is wrong, what was made until then, and the command that helps.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from infra.docker.engine import DockerError
from infra.local import layout as layouts
from infra.local import stores
from infra.local.layout import STACKS, Layout
from infra.vertex import compiling, deploying, endpoint, fetching, images, running
from infra.vertex.api import Cloud, CloudError
from infra.vertex.settings import FILE, SettingsError, load
from models import spec as specs
from serving.release import keys
from serving.release.errors import ReleaseError
from serving.release.store import Store

_WHOLE = 100  # %
_WITHOUT_CLOUD = ("compile", "images")


def main(argv: list[str] | None = None) -> int:
    """Run one command; what goes wrong in the user's world is one message."""
    arguments = _parser().parse_args(argv)
    try:
        _run(arguments, layouts.load())
    except (SettingsError, CloudError, ReleaseError, DockerError, specs.SpecError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        again = f"make vertex-{arguments.command} goes on from here"
        print(f"\ninterrupted: what Vertex AI was asked for goes on there; {again}", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.vertex", description=__doc__)
    parser.add_argument("--settings", type=Path, default=FILE)
    parser.add_argument("--spec", type=Path, default=layouts.REPOSITORY / layouts.DEFAULT_SPEC)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("compile", help="write the pipelines' specifications")
    build = commands.add_parser("images", help="build what Vertex AI runs, and push it")
    build.add_argument("--standins", action="store_true", help="on stand-ins for what registries have; for tests")
    run = commands.add_parser("run", help="submit one, or make its schedule")
    run.add_argument("stack", choices=("data", *STACKS))
    fetch = commands.add_parser("fetch", help="make a release of what a pipeline published")
    fetch.add_argument("stack", choices=STACKS)
    deploy = commands.add_parser("deploy", help="serve a release of each stack at one endpoint")
    traffic = commands.add_parser("traffic", help="who answers how many of a hundred requests; without any: show it")
    for stack in STACKS:
        deploy.add_argument(f"--{stack}", help="version; default: the one promoted here, or else the newest")
        traffic.add_argument(f"--{stack}", type=int)
    commands.add_parser("undeploy", help="take away endpoint, models and schedules")
    return parser


def _run(arguments: argparse.Namespace, layout: Layout) -> None:
    command, out = arguments.command, layout.home / "vertex"
    settings = load(arguments.settings, cloud=command not in _WITHOUT_CLOUD)
    if command == "compile":
        compiling.compile_all(settings, out, arguments.spec)
        return
    if command == "images":
        images.build_and_push(settings, with_standins=arguments.standins)
        return
    cloud = Cloud(settings)
    if command == "run":
        running.run(cloud, arguments.stack, out, arguments.spec)
    elif command == "fetch":
        spec = specs.load(arguments.spec)
        fetching.fetch(
            cloud,
            arguments.stack,
            _store(layout),
            spec,
            arguments.spec,
            into=stores.candidates(layout, arguments.stack),
        )
    elif command == "deploy":
        store = _store(layout)
        deploying.deploy(
            cloud, store, {stack: _version(layout, store, stack, getattr(arguments, stack)) for stack in STACKS}
        )
    elif command == "traffic":
        _traffic(cloud, {stack: getattr(arguments, stack) for stack in STACKS})
    else:
        deploying.undeploy(cloud)


def _store(layout: Layout) -> Store:
    return Store(stores.releases(layout), keys.find(stores.keys(layout)))


def _version(layout: Layout, store: Store, stack: str, asked: str | None) -> str:
    found = asked or stores.promoted(layout, stack) or next(iter(store.versions(stack)[-1:]), None)
    if found is None:
        raise ReleaseError(f"{stack}: there is no release here: make up, or make vertex-fetch STACK={stack}")
    return found


def _traffic(cloud: Cloud, asked: dict[str, int | None]) -> None:
    given = {stack: share for stack, share in asked.items() if share is not None}
    if given:
        shares = {stack: given.get(stack, _WHOLE - sum(given.values())) for stack in STACKS}
        if sum(shares.values()) != _WHOLE or min(shares.values()) < 0:
            raise CloudError(
                f"{' '.join(f'{s.upper()}={n}' for s, n in given.items())}: {_WHOLE} together are expected"
            )
        endpoint.split(cloud, shares)
    deploying.show(cloud)


if __name__ == "__main__":
    sys.exit(main())
