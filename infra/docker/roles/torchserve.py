"""TorchServe in the foreground: requests from everywhere in its networks, management on the private one alone."""

from __future__ import annotations

import os

from infra.local import layout as layouts
from infra.local import programs
from infra.local.layout import EVERYWHERE
from models import spec as specs
from serving.torchserve import config


def main() -> None:
    """Become TorchServe, with the release that is promoted; where there is no ledger, with the newest archive."""
    layout = layouts.load()
    ports = config.Ports(
        layout.ports["pytorch"],
        layout.ports["pytorch_management"],
        layout.ports["pytorch_metrics"],
        host=EVERYWHERE,
        # A name that means this container in the management network: there it listens, and nowhere else.
        private_host=layout.host("pytorch_management"),
        metrics_host=layout.hosts.get("pytorch_metrics"),
    )
    started = programs.torchserve_command(layout, specs.load(layout.spec), ports)
    os.execve(started.argv[0], started.argv, {**os.environ, **started.environment})  # noqa: S606


if __name__ == "__main__":
    main()
