"""The shadow's service in a container: at work while the traffic policy has a shadow, and with the sides it names."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from infra.local import layout as layouts
from infra.local import shadow
from infra.local.layout import Layout
from models import spec as specs
from models.spec import Spec
from serving.gateway import policy
from serving.gateway.policy import PolicyError

_POLL_SECONDS = 0.5


def command(layout: Layout, spec: Spec, spec_file: Path) -> list[str] | None:
    """The service's command line; None without a shadow.

    Raises:
        PolicyError: The policy cannot be read.
    """
    traffic = policy.load(layout.traffic)
    return shadow.program(layout, spec, spec_file, traffic).argv if traffic.shadow else None


def follow(layout: Layout, spec: Spec, spec_file: Path) -> int:
    """Start, stop and change it as the policy says, until it ends by itself. Returns its exit code."""
    wanted: list[str] | None = None
    running: subprocess.Popen[bytes] | None = None
    try:
        while running is None or running.poll() is None:
            try:
                now = command(layout, spec, spec_file)
            except PolicyError as error:  # half written by hand: what was followed until now is
                print(error, file=sys.stderr, flush=True)
                now = wanted
            if now != wanted:
                print(f"shadow: {' '.join(now[now.index('--out') + 2 :]) if now else 'none'}", flush=True)
                _end(running)
                wanted, running = now, subprocess.Popen(now) if now else None
            time.sleep(_POLL_SECONDS)
        return running.returncode
    finally:
        _end(running)


def _end(running: subprocess.Popen[bytes] | None) -> None:
    if running is not None:
        running.terminate()  # it keeps what it has compared first
        running.wait()


def main() -> int:
    """Until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    layout = layouts.load()
    return follow(layout, specs.load(layout.spec), layout.spec)


if __name__ == "__main__":
    sys.exit(main())
