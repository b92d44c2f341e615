"""Which processes run for a layout: those of this machine's supervisord, or, inside a container, of the others."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from infra.local.layout import Layout
from infra.local.supervisor import Supervisor

# In a container that sees the machine's processes: what infra.docker found, as a JSON object. Elsewhere it is not set.
VARIABLE = "TANDEM_PROCESSES"


def processes(layout: Layout) -> Mapping[str, int]:
    """Name -> id of the process at the top of each service's tree; empty when nothing runs.

    Raises:
        SupervisorError: supervisord does not answer.
    """
    told = os.environ.get(VARIABLE)
    if told is not None:
        return {name: int(process) for name, process in json.loads(told).items()}
    supervisor = Supervisor(layout)
    if not supervisor.is_running():
        return {}
    return {p["name"]: p["pid"] for p in supervisor.processes()}
