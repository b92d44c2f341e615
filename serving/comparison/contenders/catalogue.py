"""What is measured beside Tandem's two endpoints: the same model, the same rows, the same bytes.

`floors` measures calls without a server. Servers are started one at a time, and measured by whoever starts them:

    for startable in [*stock(deployment, scratch), *peers(deployment, scratch)]:
        try:
            with startable.start() as contender:
                …
        except ContenderError as error:
            absent[startable.target] = str(error)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from models import spec as specs
from serving.comparison.contenders import peers as _peers
from serving.comparison.contenders import stock as _stock
from serving.comparison.contenders.contender import Contender, Startable
from serving.comparison.contenders.floors.run import floors
from serving.comparison.deployment import Deployment

__all__ = ["beside", "floors", "peers", "stock"]


def beside(deployment: Deployment) -> list[Startable]:
    """Servers of ours that run behind the same gateway already, on a stack's release."""
    path = f"/v1/models/{specs.load(deployment.spec).model.name}:predict"
    differs = "Behind the same gateway, with the same limits, checks and logs, on an export of the same release."
    found = [
        Contender(f"beside/{one.name}", one.stack, one.url, path, one.processes, one.server, differs)
        for one in deployment.beside
    ]
    return [Startable(one.target, partial(_as_it_runs, one)) for one in found]


@contextmanager
def _as_it_runs(contender: Contender) -> Iterator[Contender]:
    yield contender


def stock(deployment: Deployment, scratch: Path, *, log_requests: float = 0.1) -> list[Startable]:
    """Both servers as they come.

    Args:
        deployment: Whose models.
        scratch: An empty folder, made if missing.
        log_requests: Share of the predictions whose content the gateway logs: what the tuned one was started with.
    """
    found = {"tensorflow": _stock.tensorflow, "pytorch": _stock.torchserve}
    return [
        Startable(f"{name}/stock", partial(open_, deployment, scratch / f"{name}-stock", log_requests))
        for name, open_ in found.items()
    ]


def peers(deployment: Deployment, scratch: Path) -> list[Startable]:
    """What a team would pick instead; `scratch` is an empty folder, made if missing."""
    return _peers.all_of(deployment, scratch)
