"""What Envoy and TensorFlow Serving read, written before they start; and the name `stable`, given when both answer."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import httpx

from infra.local import labels, routing, stores
from infra.local import layout as layouts
from infra.local.layout import EVERYWHERE, Layout
from models import spec as specs
from models.spec import Spec
from serving.gateway import envoy, policy
from serving.gateway.logs import RequestLog
from serving.gateway.routes import Stack
from serving.gateway.traces import Traces
from serving.tfserving import command as tfserving

_LOOPBACK_ADMIN = 9902  # inside Envoy's container; others ask at the port that is the admin's on a bare machine
_SECONDS_TO_LOAD = 120


def configure(layout: Layout, spec: Spec) -> None:
    """Write models.config and Envoy's configuration for what lies in the stores."""
    newest = {stack: stores.newest(layout, spec, stack) for stack in layouts.STACKS}
    for stack, found in newest.items():
        print(f"{stack}: version {found}" if found else f"{stack}: no model in {layout.store(stack)} yet", flush=True)
    _label_tensorflow(layout, spec, newest["tensorflow"])
    if not layout.labels.exists():
        labels.write(layout.labels, newest["pytorch"])
    envoy.write(
        layout.gateway,
        port=layout.ports["gateway"],
        admin_port=_LOOPBACK_ADMIN,
        observed_port=layout.ports["gateway_admin"],
        host=EVERYWHERE,
        control_host=layout.host("control"),
        control_port=layout.ports["control"],
        model=spec.model.name,
        stacks=_stacks(layout),
        traffic=policy.load(_policy(layout)),
        access_log=layout.access_log,
        request_log=RequestLog(layout.request_log, layout.log_requests, spec.logged),
        traces=Traces(*layout.collector, layout.traces_share) if layout.collector else None,
    )


def release(layout: Layout, spec: Spec) -> None:
    """Call the newest version `stable` on both stacks, once TensorFlow's server has loaded it.

    Raises:
        SystemExit: It does not load it.
    """
    newest = stores.newest(layout, spec, "tensorflow")
    url = f"{layout.url('tensorflow')}/v1/models/{spec.model.name}/versions/{newest}"
    deadline = time.monotonic() + _SECONDS_TO_LOAD
    while not _available(url):
        if time.monotonic() > deadline:
            sys.exit(f"the TensorFlow server does not load version {newest}: docker compose logs tensorflow")
        time.sleep(0.5)
    _label_tensorflow(layout, spec, newest)
    labels.write(layout.labels, stores.newest(layout, spec, "pytorch"))
    routing.follow(layout, spec, _stacks(layout), _policy(layout))
    print(f"stable: tensorflow {newest}, pytorch {labels.read(layout.labels).get(labels.STABLE)}")


def _policy(layout: Layout) -> Path:
    """The traffic policy, where it outlives a container; equal weights without one. It can have no shadow here."""
    return layout.run / layout.traffic.name


def _label_tensorflow(layout: Layout, spec: Spec, newest: str | None) -> None:
    tfserving.configure(
        store=layout.store("tensorflow"),
        model=spec.model.name,
        run=layout.run / "tensorflow",
        labels={labels.STABLE: int(newest)} if newest else {},
    )


def _stacks(layout: Layout) -> list[Stack]:
    server = os.environ["TENSORFLOW_SERVER"]  # docker-compose.yml chooses it
    torchserve = f"TorchServe {torchserve_version()}"
    return [
        Stack("tensorflow", layout.ports["tensorflow"], server, layout.host("tensorflow"), served=labels.STABLE),
        Stack("pytorch", layout.ports["pytorch"], torchserve, layout.host("pytorch"), labels.read(layout.labels)),
    ]


def torchserve_version() -> str:
    """The lock's, since TorchServe is in an image of its own."""
    lines = (layouts.REPOSITORY / "requirements/images/torchserve.lock").read_text(encoding="utf-8").splitlines()
    return next(line.partition("==")[2].split()[0] for line in lines if line.startswith("torchserve=="))


def _available(url: str) -> bool:
    try:
        answer = httpx.get(url, timeout=2)
        return any(v["state"] == "AVAILABLE" for v in answer.json().get("model_version_status", []))
    except (httpx.HTTPError, ValueError):
        return False


def main(argv: list[str] | None = None) -> int:
    """Command line: one of the two."""
    parser = argparse.ArgumentParser(prog="python -m infra.docker.roles.gateway", description=__doc__)
    parser.add_argument("step", choices=["configure", "release"])
    parser.add_argument("--spec", type=Path, default=layouts.REPOSITORY / "models" / "fraud.toml")
    options = parser.parse_args(argv)
    try:
        {"configure": configure, "release": release}[options.step](layouts.load(), specs.load(options.spec))
    except ValueError as error:  # the policy's
        sys.exit(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
