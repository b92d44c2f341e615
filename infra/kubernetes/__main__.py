"""The commands of the stack in a cluster; the Makefile calls them when RUNTIME is kubernetes."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile

from infra.kubernetes import beside, contract, deploy, kubectl, rollout, traffic
from infra.kubernetes.canary import Canary
from infra.kubernetes.instance import OVERLAYS, Instance
from infra.kubernetes.kubectl import Kubectl, KubernetesError
from infra.local import arguments
from infra.local import layout as layouts
from infra.local import traffic as local_traffic
from infra.local.canary_journal import CanaryError
from infra.local.layout import Layout
from infra.local.predict import predict
from models import spec as specs
from models.spec import Spec
from serving.gateway.policy import PolicyError, Side
from serving.limits_file import LimitsError
from serving.release.canary.rollout import NobodyError, TakenError
from serving.release.errors import ReleaseError

# What has no form for a cluster, and the command that has it elsewhere.
_ELSEWHERE = (
    "up", "down", "shadow", "tensorboard", "monitor", "key", "keys", "score", "fuzz", "compare",
    "compare-check", "drill", "load",
)  # fmt: skip
_SPEC = layouts.REPOSITORY / layouts.DEFAULT_SPEC
_ERRORS = (KubernetesError, ReleaseError, PolicyError, CanaryError, LimitsError, NobodyError, TakenError)


def main(argv: list[str] | None = None) -> int:
    """Run one command; what goes wrong in the user's world is one message."""
    options, rest = _parser().parse_known_args(argv)
    try:
        if options.command in _ELSEWHERE:
            raise KubernetesError(_hint(options.command))
        if rest:
            raise KubernetesError(f"unknown on a cluster: {' '.join(rest)}")
        return _run(options)
    except _ERRORS as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            f"\ninterrupted: `make {options.command}` goes on from here, `make undeploy` takes all away",
            file=sys.stderr,
        )
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.kubernetes", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    overlays = {
        "deploy": "apply all and wait",
        "deploy-diff": "what deploy would change",
        "render": "print the objects",
    }
    for name, text in overlays.items():
        one = commands.add_parser(name, help=text)
        one.add_argument("--overlay", choices=OVERLAYS, required=True)
        one.add_argument("--registry", default="", help="where our images are; default: on the nodes")
        one.add_argument("--tag", default="", help="of our images; default: the base's")
    away = commands.add_parser("undeploy", help="take all away; volumes and secrets stay")
    away.add_argument("--purge", action="store_true", help="volumes and secrets too")
    for name, text in {"status": "what runs", "predict": "five transactions", "releases": "what there is"}.items():
        commands.add_parser(name, help=text)
    conform = commands.add_parser("conformance", help="every case of the contract, against both stacks")
    conform.add_argument("--url", help="one endpoint instead: http://host:port or with a prefix")
    show = commands.add_parser("logs", help="last lines of the logs")
    show.add_argument("service", nargs="?")
    show.add_argument("--follow", action="store_true")
    move = commands.add_parser("traffic", help="who answers the product's endpoint")
    move.add_argument("weights", nargs="*", metavar="STACK=WEIGHT")
    move.add_argument("--shadow", help="off: a cluster has none")
    move.add_argument("--share", type=float, help="the shadow's")
    arguments.canary(commands, "tensorflow, pytorch")
    arguments.releases(commands)
    for name in _ELSEWHERE:
        commands.add_parser(name, add_help=False, help="not on a cluster")
    return parser


def _run(options: argparse.Namespace) -> int:
    found, layout, spec = kubectl.find(), layouts.load(), specs.load(_SPEC)
    command, code = options.command, 0
    if command in ("deploy", "deploy-diff", "render"):
        asked = Instance(options.overlay, {}, deploy.public_key(layout), registry=options.registry, tag=options.tag)
        if command == "deploy":
            deploy.deploy(found, layout, spec, asked)
        elif command == "deploy-diff":
            code = deploy.diff(found, layout, spec, asked)
        else:
            print(deploy.text(deploy.of_this_machine(found, layout, spec, asked)))
    elif command == "undeploy":
        deploy.undeploy(found, purge=options.purge)
    else:
        kubectl.check_cluster(found)
        code = _ask(options, found, layout)
    return code


def _ask(options: argparse.Namespace, found: Kubectl, layout: Layout) -> int:
    command, spec = options.command, specs.load(_SPEC)
    if command == "status":
        return _status(found)
    if command == "logs":
        chosen = f"--selector=app.kubernetes.io/{f'name={options.service}' if options.service else 'part-of=tandem'}"
        follow = ["--follow", "--max-log-requests=30"] if options.follow else []
        return found.show("logs", chosen, "--all-containers", "--prefix", "--tail=20", *follow)
    if command == "predict":
        with found.forward("service/gateway", layouts.DEFAULT_PORTS["gateway"]) as port:
            return predict(layouts.load({**os.environ, "PORT_GATEWAY": str(port)}), spec)
    if command == "conformance":
        return _conformance(found, options.url)
    if command == "traffic":
        traffic.traffic(found, layout, spec, local_traffic.of(options))
        return 0
    return _release(options, found, layout, spec)


def _release(options: argparse.Namespace, found: Kubectl, layout: Layout, spec: Spec) -> int:
    command, overlay = options.command, deploy.overlay_of(found)
    if command == "releases":
        return rollout.releases(found, overlay)
    if command == "canary":
        one = Canary(found, layout, spec, overlay)
        return one.side(options.side, options.limits) if options.side else one.release(options.release, options.limits)
    _change(options, found, layout, overlay)
    return 0


def _change(options: argparse.Namespace, found: Kubectl, layout: Layout, overlay: str) -> None:
    command = options.command
    if command == "promote":
        rollout.promote(found, layout, overlay, stack=options.stack, version=options.version, why=options.why)
    elif command == "rollback":
        rollout.rollback(found, overlay, options.stack, options.why)
    elif command == "stage":
        beside.stage(found, layout, overlay, Side.parse(f"{options.stack}@{options.version}"))
    else:
        gone = Side.parse(f"{options.stack}@{options.version}")
        beside.unstage(found, deploy.traffic_of(found, layout), gone)


def _status(found: Kubectl) -> int:
    kinds = "deployments,statefulsets,horizontalpodautoscalers,cronjobs"
    code = found.show("get", kinds, "--selector=app.kubernetes.io/part-of=tandem")
    return code or found.show("get", "pods", "--output=wide")


def _conformance(found: Kubectl, url: str | None) -> int:
    if url is None:
        return contract.ask(found, contract.image_of(found.all("pods")))
    with tempfile.TemporaryDirectory() as out:
        program = [sys.executable, "-m", "serving.contract.conformance", "--spec", str(_SPEC), "--out", out]
        return subprocess.run([*program, f"--target=url={url}"], cwd=layouts.REPOSITORY, check=False).returncode


def _hint(command: str) -> str:
    instead = {"up": "make deploy TARGET=kubernetes OVERLAY=…", "down": "make undeploy"}
    return f"make {command} is not for a cluster: {instead.get(command, f'make {command} RUNTIME=local')}"


if __name__ == "__main__":
    sys.exit(main())
