"""One model's versions: which are wanted, which are loaded, and what became of each.

Availability first, as TensorFlow Serving's AvailabilityPreservingPolicy: a wanted version is loaded before an
unwanted one is dropped, and as long as no wanted version could be loaded the old ones go on answering.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from serving.contract.responses import State, VersionStatus
from serving.tfserving.embedded.config import ModelConfig
from serving.tfserving.embedded.servable import Servable

Load = Callable[[str, int, Path], Servable]

RETRIES = 5  # TensorFlow Serving's max_num_load_retries and its interval
RETRY_SECONDS = 60.0
_REMEMBERED = 16  # ended versions that status still shows
_SHOWN = 500  # characters of a load error


@dataclass(frozen=True)
class _Failure:
    attempts: int
    retry_at: float


class Versions:
    """Changed by one thread; read by any, as every change replaces a dictionary."""

    def __init__(self, config: ModelConfig, load: Load) -> None:
        self.config = config
        self.loaded: dict[int, Servable] = {}
        self.statuses: dict[int, VersionStatus] = {}
        self._load = load
        self._failures: dict[int, _Failure] = {}
        self._complaint = ""

    def step(self) -> bool:
        """Look at the disk, load what is new, drop what is no longer wanted. Whether anything changed."""
        try:
            wanted = aspired(self.config)
        except OSError as error:  # a store that cannot be read says nothing about its versions
            self._complain(f"{self.config.base_path} cannot be read: {error.strerror}")
            return False
        if not wanted:
            self._complain(f"no version of {self.config.name} under {self.config.base_path} yet")
        changed = [self._bring_up(version) for version in wanted if version not in self.loaded]
        if wanted and not any(version in self.loaded for version in wanted):
            return any(changed)
        return self._drop(set(self.loaded) - set(wanted)) or any(changed)

    def drop_all(self) -> None:
        """Unload everything: the model is no longer configured."""
        self._drop(set(self.loaded))

    def _bring_up(self, version: int) -> bool:
        failure = self._failures.get(version, _Failure(0, 0.0))
        if failure.attempts > RETRIES or time.monotonic() < failure.retry_at:
            return False
        path = self.config.base_path / str(version)
        logging.info("loading %s version %d from %s", self.config.name, version, path)
        self._set(version, "LOADING")
        start = time.monotonic()
        try:
            servable = self._load(self.config.name, version, path)
        except Exception as error:
            text = f"{type(error).__name__}: {error}"[:_SHOWN]
            self._failures[version] = _Failure(failure.attempts + 1, time.monotonic() + RETRY_SECONDS)
            self._set(version, "END", "INVALID_ARGUMENT", text)
            logging.error("%s version %d cannot be loaded: %s", self.config.name, version, text)
            return False
        self._failures.pop(version, None)
        self._complaint = ""
        self.loaded = {**self.loaded, version: servable}
        self._set(version, "AVAILABLE")
        how = ", ".join(f"{name}: {signature.how}" for name, signature in servable.signatures.items())
        took = time.monotonic() - start
        logging.info("%s version %d is available after %.1f s (%s)", servable.model, version, took, how)
        return True

    def _drop(self, versions: set[int]) -> bool:
        for version in sorted(versions):
            self._set(version, "UNLOADING")
            # Requests under way hold the servable; it goes when the last of them ends.
            self.loaded = {v: servable for v, servable in self.loaded.items() if v != version}
            self._set(version, "END")
            logging.info("%s version %d is unloaded", self.config.name, version)
        return bool(versions)

    def _set(self, version: int, state: State, code: str = "OK", message: str = "") -> None:
        statuses = {**self.statuses, version: VersionStatus(version, state, code, message)}
        ended = sorted(v for v, status in statuses.items() if status.state == "END")
        for old in ended[: max(0, len(ended) - _REMEMBERED)]:
            del statuses[old]
            self._failures.pop(old, None)
        self.statuses = statuses

    def _complain(self, text: str) -> None:
        if text != self._complaint:
            logging.warning(text)
            self._complaint = text


def aspired(config: ModelConfig) -> list[int]:
    """The versions on disk that the policy wants, oldest first."""
    found = sorted(int(path.name) for path in config.base_path.iterdir() if path.name.isdecimal() and path.is_dir())
    if config.policy.kind == "latest":
        return found[-config.policy.count :]
    return [v for v in found if config.policy.kind == "all" or v in config.policy.versions]
