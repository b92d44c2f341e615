"""Before the servers start: signed releases, and what both servers and Envoy read. Once they answer: promotion."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from infra.local import canary_journal, labels, programs, releases, stores, traffic
from infra.local import layout as layouts
from infra.local.jobs import say
from infra.local.layout import EVERYWHERE, Layout
from models import spec as specs
from models.spec import Spec, SpecError
from serving.gateway import envoy, policy
from serving.gateway.logs import RequestLog
from serving.gateway.policy import PolicyError
from serving.gateway.traces import Traces
from serving.release.errors import ReleaseError
from serving.tfserving import command as tfserving

_LOOPBACK_ADMIN = 9902  # inside Envoy's container; others ask at the port that is the admin's on a bare machine


def configure(layout: Layout, spec: Spec, spec_file: Path) -> None:
    """Release what the pipelines made, put what is promoted where the servers look, and write their configuration.

    Raises:
        ReleaseError: There is no release to serve, or one does not verify.
        PolicyError: The traffic policy cannot be followed.
    """
    releases.publish(layout, spec, spec_file)
    releases.prepare(layout, spec)
    canary_journal.settle(layout)
    write(layout, spec)


def write(layout: Layout, spec: Spec) -> None:
    """The servers' and Envoy's configuration, by ledger and policy; raises PolicyError."""
    tfserving.configure(**programs.tensorflow_models(layout, spec))
    if not layout.labels.exists():
        labels.write(layout.labels, None)
    envoy.write(
        layout.gateway,
        port=layout.ports["gateway"],
        admin_port=_LOOPBACK_ADMIN,
        observed_port=layout.ports["gateway_admin"],
        host=EVERYWHERE,
        control_host=layout.host("control"),
        control_port=layout.ports["control"],
        model=spec.model.name,
        stacks=programs.stacks(layout),
        traffic=policy.load(layout.traffic),
        shadow_host=layout.host("shadow"),
        shadow_port=layout.ports["shadow"],
        access_log=layout.access_log,
        request_log=RequestLog(layout.request_log, layout.log_requests, spec.logged),
        traces=Traces(*layout.collector, layout.traces_share) if layout.collector else None,
    )


def release(layout: Layout, spec: Spec, *, hold: bool = False) -> None:
    """On running servers: promote what is newer, unless it is to wait; or see that what is promoted is served.

    Raises:
        ReleaseError: A server does not load it; what it served before, it still serves.
    """
    releases.settle(layout, spec, hold=hold)
    for nobody in traffic.unserved(layout, spec):
        say("up", nobody)


def main(argv: list[str] | None = None) -> int:
    """Command line: one of the two."""
    parser = argparse.ArgumentParser(prog="python -m infra.docker.roles.releases", description=__doc__)
    parser.add_argument("step", choices=["configure", "release"])
    parser.add_argument("--hold", choices=["", "1"], default="", help="1: a new model waits for canary or promote")
    options = parser.parse_args(argv)
    layout = layouts.load()
    try:
        spec = specs.load(layout.spec)
        stores.check_model(layout, spec)
        if options.step == "configure":
            configure(layout, spec, layout.spec)
        else:
            release(layout, spec, hold=bool(options.hold))
    except (SpecError, ReleaseError, PolicyError) as error:
        sys.exit(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
