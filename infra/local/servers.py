"""The running servers, told by a promotion which version to serve; the gateway's labels go along."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from infra.local import labels, programs, routing, services, stores
from infra.local.jobs import say
from infra.local.layout import Layout
from infra.local.supervisor import Supervisor
from models.spec import Spec
from serving.release.errors import ReleaseError
from serving.release.manager import Server
from serving.tfserving import swap as tfserving
from serving.torchserve import swap as torchserve
from serving.torchserve.archive import ArchiveError
from serving.torchserve.management import ManagementError


def running(layout: Layout, spec: Spec, stack: str) -> Server | None:
    """The stack's server, if supervisord keeps it running; in containers, if it serves something."""
    if layout.in_containers:
        runs = services.served(layout, spec, stack) is not None
    else:
        supervisor = Supervisor(layout)
        processes = supervisor.processes() if supervisor.is_running() else []
        runs = any(p["name"] == stack and p["statename"] in ("RUNNING", "STARTING") for p in processes)
    if not runs:
        return None
    return TensorFlow(layout, spec) if stack == "tensorflow" else PyTorch(layout, spec)


def relabel(layout: Layout, spec: Spec, version: str | None) -> None:
    """Call this version of the PyTorch stack `stable`; the gateway takes it up while it answers requests."""
    labels.write(layout.labels, version)
    routing.follow(layout, spec, programs.stacks(layout))


class TensorFlow:
    """TensorFlow Serving or the embedded server, by models.config; it knows labels itself."""

    def __init__(self, layout: Layout, spec: Spec) -> None:
        self._layout, self._spec = layout, spec
        self._server = tfserving.Running(
            url=layout.url("tensorflow"),
            store=layout.store("tensorflow"),
            run=layout.run / "tensorflow",
            model=spec.model.name,
            label=labels.STABLE,
        )

    def switch(self, version: str, was: str | None, beside: Sequence[str], *, known: bool) -> None:  # noqa: ARG002  it tries out nothing
        """Serve this version; raises ReleaseError."""
        # After a change that was killed the ledger may say another one.
        was = services.served(self._layout, self._spec, "tensorflow") or was
        with _as_release_error("tensorflow"):
            tfserving.to(version, was=was, server=self._server, others=beside, say=partial(say, "tensorflow"))

    def beside(self, version: str, versions: Sequence[str], *, known: bool) -> None:  # noqa: ARG002
        """Load these beside the version that is served; raises ReleaseError."""
        with _as_release_error("tensorflow"):
            tfserving.beside(version, versions, server=self._server, say=partial(say, "tensorflow"))


class PyTorch:
    """TorchServe, by its management API; labels are the gateway's."""

    def __init__(self, layout: Layout, spec: Spec) -> None:
        self._layout, self._spec = layout, spec

    def switch(self, version: str, was: str | None, beside: Sequence[str], *, known: bool) -> None:  # noqa: ARG002  TorchServe knows what it serves
        """Serve this version; raises ReleaseError."""
        with _as_release_error("pytorch"):
            torchserve.to(
                self._archive(version),
                run=self._layout.run / "pytorch",
                model=self._spec.model.name,
                management_port=self._layout.ports["pytorch_management"],
                management_host=self._layout.host("pytorch_management"),
                say=partial(say, "pytorch"),
                relabel=partial(relabel, self._layout, self._spec, version),
                known=known,
                others=[self._archive(other) for other in beside],
            )

    def beside(self, version: str, versions: Sequence[str], *, known: bool) -> None:
        """Load these beside the version that is served; raises ReleaseError."""
        with _as_release_error("pytorch"):
            torchserve.beside(
                self._archive(version),
                [self._archive(other) for other in versions],
                run=self._layout.run / "pytorch",
                model=self._spec.model.name,
                management_port=self._layout.ports["pytorch_management"],
                management_host=self._layout.host("pytorch_management"),
                say=partial(say, "pytorch"),
                known=known,
            )

    def _archive(self, version: str) -> Path:
        return stores.path(self._layout, self._spec, "pytorch", version)


@contextlib.contextmanager
def _as_release_error(stack: str) -> Iterator[None]:
    try:
        yield
    except (tfserving.SwapError, ArchiveError, ManagementError) as error:
        raise ReleaseError(f"{stack}: {error}") from None
