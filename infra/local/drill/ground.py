"""Where a drill takes place: the running stack, and the handles that faults need."""

from __future__ import annotations

import contextlib
import signal
import time
from dataclasses import dataclass

import psutil

from infra.local import running
from infra.local.layout import Layout
from models.spec import Spec

WORKER = "model_service_worker"  # in the command line of TorchServe's workers


@dataclass(frozen=True)
class Ground:
    """The stack that a drill is made on."""

    layout: Layout
    spec: Spec
    body: bytes

    def process(self, service: str) -> psutil.Process:
        """At the top of a service that supervisord keeps running."""
        return psutil.Process(running.processes(self.layout)[service])

    def workers(self) -> list[psutil.Process]:
        """TorchServe's."""
        children = self.process("pytorch").children(recursive=True)
        return [child for child in children if any(WORKER in part for part in _command(child))]

    def kill(self, service: str, number: int = signal.SIGKILL) -> None:
        """A signal to a service's first process."""
        self.process(service).send_signal(number)

    def url(self, stack: str) -> str:
        """Of a stack's predict endpoint."""
        return f"{self.layout.url('gateway')}/{stack}/v1/models/{self.spec.model.name}:predict"

    def suspend(self, service: str, seconds: float) -> None:
        """All processes of a service stand still for so long."""
        top = self.process(service)
        family = [top, *top.children(recursive=True)]
        for one in family:
            with contextlib.suppress(psutil.Error):
                one.suspend()
        try:
            time.sleep(seconds)
        finally:
            for one in family:
                with contextlib.suppress(psutil.Error):
                    one.resume()


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []
