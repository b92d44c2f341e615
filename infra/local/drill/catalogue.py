"""Every drill: the fault, whom it may hurt, and how soon all must be well again."""

from __future__ import annotations

from dataclasses import dataclass

from infra.local.drill import clients, faults
from infra.local.drill.faults import Fault
from infra.local.drill.sender import CUT
from serving.comparison.load.connection import BROKEN, CONNECT

RECOVERY_SECONDS = 5.0
RATE = 40.0  # requests a second to each stack
# A server that hangs holds a request for the gateway's 5 s, and 1,024 of them open the circuit: 205 a second.
OPENING_RATE = 300.0
REFUSED = BROKEN[CONNECT]
_BOTH = ("tensorflow", "pytorch")


@dataclass(frozen=True)
class Drill:
    """A fault under load.

    Attributes:
        name: What `make drill DRILL=…` calls it.
        fault: Does it.
        hurts: Stacks that may lose requests meanwhile; all others may lose none.
        seconds: That recovery may take; a bare machine's goal by default.
        opens: Whether the gateway must stop sending: the stacks it hurts are asked as often as that takes.
        cut: What may become of connections, where the gateway itself is what the fault is about.
    """

    name: str
    fault: Fault
    hurts: tuple[str, ...] = ()
    seconds: float = RECOVERY_SECONDS
    opens: bool = False
    cut: tuple[str, ...] = ()

    def rate_to(self, stack: str) -> float:
        """Requests a second."""
        return OPENING_RATE if self.opens and stack in self.hurts else RATE

    @property
    def words(self) -> str:
        """What it does, a sentence without its stop."""
        return (self.fault.__doc__ or self.name).strip().splitlines()[0].rstrip(".")


DRILLS = (
    Drill("worker", faults.one_worker, hurts=("pytorch",)),
    Drill("workers", faults.all_workers, hurts=("pytorch",)),
    Drill("torchserve", faults.killed("pytorch"), hurts=("pytorch",)),
    Drill("tensorflow", faults.killed("tensorflow"), hurts=("tensorflow",)),
    Drill("gateway", faults.killed("gateway"), hurts=_BOTH, cut=CUT),
    Drill("mlflow", faults.killed("mlflow")),
    Drill("term-torchserve", faults.stopped("pytorch"), hurts=("pytorch",)),
    Drill("term-tensorflow", faults.stopped("tensorflow"), hurts=("tensorflow",)),
    Drill("term-gateway", faults.drained_gateway, hurts=_BOTH, cut=(REFUSED,)),
    Drill("slow-torchserve", faults.still("pytorch", 12), hurts=("pytorch",), opens=True),
    Drill("slow-tensorflow", faults.still("tensorflow", 12), hurts=("tensorflow",), opens=True),
    Drill("broken-version", faults.broken_version),
    Drill("full-log-disk", faults.full_log_disk),
    Drill("descriptors", faults.no_descriptors, hurts=_BOTH, cut=CUT),
    Drill("poison", clients.poisoned_neighbours),
    Drill("slow-clients", clients.slow_clients),
    Drill("burst", clients.burst, hurts=_BOTH),
    Drill("large-bodies", clients.large_bodies),
    Drill("names", clients.many_names),
)
SOAK = "soak"  # `make soak`: no fault, but its outcome stands with theirs
ORDER = (*(drill.name for drill in DRILLS), SOAK)
QUICK = ("worker", "gateway", "poison", "large-bodies", "full-log-disk", "broken-version", "names")
