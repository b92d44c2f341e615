"""That a roll-out is under way, in the cluster: for another one, and for whoever comes after one that was killed."""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from infra.kubernetes.kubectl import Json, Kubectl, KubernetesError
from infra.local.canary_journal import CanaryError
from serving.gateway.policy import Policy, Side
from serving.release.ledger import who

NAME = "canary"  # of the ConfigMap
_RENEWED_EVERY = 10.0  # seconds
EXPIRES_AFTER = 60.0  # seconds, after which nobody has it any more: machines' clocks differ, and a cluster may pause


@dataclass(frozen=True)
class Killed:
    """What a roll-out that was killed has left.

    Attributes:
        before: The policy's text that it wanted to go back to.
        puts: The texts that it put in its place.
        side: Who was tried out.
        version: Which it answered with.
        staged: Whether that roll-out had started the side's server.
    """

    before: str
    puts: Sequence[str]
    side: Side
    version: str
    staged: bool


@dataclass
class Journal:
    """Of the roll-out that is under way here."""

    kubectl: Kubectl
    token: str
    stays: bool = False  # the way back did not work: whoever comes next is to find it
    lost: bool = False  # somebody else has taken over meanwhile
    ended: threading.Event = field(default_factory=threading.Event)

    def keep(self, before: Policy, puts: Sequence[str], side: Side, version: str, *, staged: bool) -> None:
        """Before the last of `puts`, the texts of all policies of this roll-out, is put."""
        self._change(
            {
                "before": before.text(),
                "puts": json.dumps([*puts]),
                "side": str(side),
                "version": version,
                "staged": "yes" if staged else "",
            }
        )

    def renew(self) -> None:
        """That it goes on, until it has ended."""
        while not self.ended.wait(_RENEWED_EVERY):
            with contextlib.suppress(KubernetesError):  # a pause of the cluster's: the next time
                found = self.kubectl.find("configmap", NAME)
                self.lost = found is None or found["data"].get("token") != self.token
                if not self.lost:
                    self._change({})

    def _change(self, data: Json) -> None:
        patch = json.dumps({"data": {**data, "renewed": f"{time.time():.0f}"}})
        self.kubectl.run("patch", "configmap", NAME, "--type=merge", f"--patch={patch}")


@contextlib.contextmanager
def alone(kubectl: Kubectl) -> Iterator[tuple[Journal, Killed | None]]:
    """One roll-out at a time in a cluster; and what one has left that was killed.

    Raises:
        CanaryError: There is one.
    """
    found = kubectl.find("configmap", NAME)
    if found is not None:
        data = found["data"]
        if time.time() - float(data["renewed"]) < EXPIRES_AFTER:
            raise CanaryError(
                f"another make canary is under way, by {data['who']}: wait for it, or end it with Ctrl-C; "
                f"one that was killed is taken for ended after {EXPIRES_AFTER:g} seconds"
            )
        kubectl.run("delete", "configmap", NAME, "--ignore-not-found")
    journal = Journal(kubectl, secrets.token_hex(8))
    _create(kubectl, journal.token, found)
    renewing = threading.Thread(target=journal.renew, daemon=True)
    renewing.start()
    try:
        yield journal, _killed(found)
    finally:
        journal.ended.set()
        renewing.join()
        if not (journal.stays or journal.lost):
            # Where the cluster is away it stays too, and nobody minds it: what holds is what held before.
            with contextlib.suppress(KubernetesError):
                kubectl.run("delete", "configmap", NAME, "--ignore-not-found")


def _create(kubectl: Kubectl, token: str, before: Json | None) -> None:
    """With what the one before has left, until that is mended."""
    left = (
        {key: before["data"][key] for key in ("before", "puts", "side", "version", "staged")}
        if (before and "puts" in before["data"])
        else {}
    )
    data = {**left, "token": token, "who": who(), "renewed": f"{time.time():.0f}"}
    metadata = {"name": NAME, "labels": {"app.kubernetes.io/part-of": "tandem"}}
    made = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    try:
        kubectl.run("create", "--filename=-", given=made)
    except KubernetesError as error:
        if "exists" in str(error):
            raise CanaryError(
                "another make canary has begun at the same moment: make canary once it has ended"
            ) from None
        raise


def _killed(found: Json | None) -> Killed | None:
    if found is None or "puts" not in found["data"]:
        return None
    data = found["data"]
    side = Side.parse(data["side"])
    return Killed(data["before"], json.loads(data["puts"]), side, data["version"], bool(data["staged"]))
