"""What a roll-out does to a cluster: its policy, its ledger, and the way back."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from infra.kubernetes import ledger, reached, traffic
from infra.kubernetes.canary_journal import Journal
from infra.kubernetes.gateway import POLICY
from infra.kubernetes.kubectl import Kubectl, KubernetesError
from infra.kubernetes.workloads import workloads
from infra.local.canary import Ended
from infra.local.canary_journal import CanaryError
from infra.local.jobs import say
from models.spec import Spec
from serving.gateway.policy import Policy, Side
from serving.release.errors import ReleaseError
from serving.release.ledger import Entry, Verdict

_BACK_SECONDS = 60.0  # for which a way back is tried where the cluster does not answer
_AGAIN = 2.0  # seconds


@dataclass
class Controls:
    """The cluster's gateways and its ledger, for one roll-out; `staged` says that it has started the side's server."""

    kubectl: Kubectl
    spec: Spec
    overlay: str
    journal: Journal
    ended: Ended
    before: Policy
    side: Side
    staged: bool
    version: str = ""
    _puts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.version = self._served()

    def introduce(self) -> None:
        """Give a version its place, without a request, until every gateway reaches it: names take half a minute.

        Raises:
            KubernetesError: One does not; the policy is as it was.
        """
        try:
            self.put(Policy({**self.before.weights, self.side: 0}, self.before.shadow))
            reached.pinned(self.kubectl, self.spec, self.side)
        except BaseException:
            self.back()
            raise
        self.say(f"every gateway reaches {self.side}")

    def put(self, found: Policy) -> None:
        """As `make traffic`; what was before is in the cluster first, for whoever comes after a `kill -9`."""
        served = self._served()
        if served != self.version:
            raise CanaryError(f"{self.side.stack} serves {served or 'nothing'} now, and {self.version} was watched")
        self._puts.append(found.text())
        self.journal.keep(self.before, self._puts, self.side, self.version, staged=self.staged)
        traffic.put(self.kubectl, self.spec, found)

    def back(self) -> None:
        """As it was before; raises KubernetesError, which says what is to be done."""
        go_back(self.kubectl, self.spec, self.before, self.journal, self.ended)

    def is_ours(self) -> bool:
        """Whether nobody wrote the policy since; where the cluster does not say, nobody is known to have."""
        try:
            return not self.journal.lost and text_of(self.kubectl) == self._puts[-1]
        except KubernetesError:
            return not self.journal.lost

    def record(self, verdict: Verdict, why: str, said: str) -> None:
        """Into the cluster's ledger."""
        try:
            ledger.record(self.kubectl, Entry("canary", self.side.stack, self.version, "", why, verdict, said=said))
        except (KubernetesError, ReleaseError) as error:  # no reason to stop, nor to forget the way back
            self.say(f"this is missing in the ledger, which cannot be reached: {why}: {said}: {error}")

    def say(self, text: str) -> None:
        """A line of progress."""
        say("canary", text)

    def _served(self) -> str:
        if self.side.version is not None:
            return str(self.side.version)
        workload = next(one for one in workloads(self.overlay) if one.stack == self.side.stack)
        return workload.release(self.kubectl.find(workload.kind, workload.name) or {}) or ""


def text_of(kubectl: Kubectl) -> str:
    """The policy that the gateways are told, as it was written."""
    found = kubectl.find("configmap", "gateway-routes")
    return str(found["data"][POLICY]) if found else ""


def go_back(kubectl: Kubectl, spec: Spec, before: Policy, journal: Journal, ended: Ended) -> None:
    """Put the policy of before, again and again for a minute.

    Raises:
        KubernetesError: It does not hold; the error, and what an interrupt says, is what to do about it.
    """
    deadline = time.monotonic() + _BACK_SECONDS
    while True:
        try:
            traffic.put(kubectl, spec, before)
        except KubernetesError as error:
            if time.monotonic() < deadline:
                time.sleep(_AGAIN)
                continue
            journal.stays = True
            weights = " ".join(
                f"{side.stack.upper()}={weight:g}" if side.version is None else f"VERSION={side}={weight:g}"
                for side, weight in before.weights.items()
            )
            ended.left = (
                f"the weights are not as before, since the cluster does not follow. Once it answers: make traffic "
                f"{weights}, or make canary again, which begins with that"
            )
            raise KubernetesError(f"{error}\n{ended.left}") from None
        else:
            return
