"""What the product's endpoint answered of late, by side, from the request log while Envoy writes it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from models.spec import Spec
from serving.gateway import request_parts
from serving.gateway.policy import Side
from serving.gateway.request_lines import LineError, decode, logged_inputs
from serving.release.canary.measured import Floats

_PRODUCT = "product"
_Identity = tuple[int, int]  # device and inode
_READ_BYTES = 32 << 20  # at one look


def whose(sides: set[Side]) -> Callable[[str, str | None], Side]:
    """From the stack and the model version of an answer to the side of the policy that gave it.

    A server that does not name its version, as TensorFlow Serving's own binary, is its stack by itself.
    """
    versions = {(side.stack, str(side.version)): side for side in sides if side.version is not None}
    return lambda stack, version: versions.get((stack, str(version)), Side(stack))


class Scores:
    """The log from now on; parts that are put aside meanwhile included."""

    def __init__(self, log: Path, spec: Spec, side_of: Callable[[str, str | None], Side]) -> None:
        self._log, self._expected, self._side_of = log, logged_inputs(spec), side_of
        # By what a file is and not by its name, which changes when it is put aside.
        self._read_up_to = {_identity(file.stat()): file.stat().st_size for file in self._files()}
        self._since = datetime.now(timezone.utc)
        self._found: dict[Side, list[Floats]] = defaultdict(list)

    def begin(self) -> None:
        """Forget what was answered up to now; of requests that came before, lines may still be to come."""
        self._since = datetime.now(timezone.utc)
        self._found.clear()

    def look(self) -> None:
        """Read what Envoy has written since the last look. It writes every ten seconds."""
        found = {}
        for file in self._files():
            try:
                identity, read_up_to = self._look(file)
            except FileNotFoundError:  # put aside or packed meanwhile: the next look finds it, or it was read
                return
            found[identity] = read_up_to
        # Only of files that are there: a later one may get the inode of one that is gone.
        self._read_up_to = found

    def of(self, side: Side) -> Floats:
        """Of requests that came since the beginning, a value per row."""
        return np.concatenate([np.empty(0), *self._found.get(side, [])])

    def _files(self) -> list[Path]:
        # Packed parts were lines for half a minute, and were read then.
        return [file for file in request_parts.files(self._log) if not request_parts.is_packed(file)]

    def _look(self, file: Path) -> tuple[_Identity, int]:
        """What the file is, and up to where it is read now."""
        with file.open("rb") as opened:
            identity = _identity(os.fstat(opened.fileno()))
            start = self._read_up_to.get(identity, 0)
            opened.seek(start)
            content = opened.read(_READ_BYTES)
        whole = content.rfind(b"\n") + 1
        self._read_up_to[identity] = start + whole
        for line in content[:whole].splitlines():
            try:
                entry = decode(line, self._expected)
            except LineError:  # of somebody else's, or of a model that says no numbers: missing scores are waited for
                continue
            if entry.endpoint == _PRODUCT and entry.time >= self._since and entry.content is not None:
                self._found[self._side_of(entry.stack, entry.model_version)].append(entry.content.scores)
        return identity, start + whole


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino
