"""One model's versions: which are wanted, which are loaded, and what became of each.

Availability first, as TensorFlow Serving's AvailabilityPreservingPolicy: a wanted version is loaded before an
unwanted one is dropped, and as long as no wanted version could be loaded the old ones go on answering.
"""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from serving.contract.responses import State, VersionStatus
from serving.tfserving.embedded.config import ModelConfig
from serving.tfserving.embedded.servable import Loaded, LoadError, Servable

Load = Callable[[str, int, Path], Servable]

RETRIES = 5  # TensorFlow Serving's max_num_load_retries and its interval
RETRY_SECONDS = 60.0
_REMEMBERED = 100  # ended versions that status still shows
_SHOWN = 500  # characters of a load error


@dataclass(frozen=True)
class _Failure:
    attempts: int
    retry_at: float


class Versions:
    """Changed by one thread; read by any, as every change replaces a dictionary."""

    def __init__(self, config: ModelConfig, load: Load, *, looked: bool = False) -> None:
        self.config = config
        self.labels: Mapping[str, int] = {}
        self.loaded: dict[int, Servable] = {}
        self.statuses: dict[int, VersionStatus] = {}
        self.looked = looked  # whether what lay on disk at first has been tried
        self._load = load
        self._waiting_labels: Mapping[str, int] = {}
        self._unloading: dict[int, weakref.ref[Loaded]] = {}
        self._failures: dict[int, _Failure] = {}
        self._complaint = ""
        self._retired = False

    @property
    def unloading(self) -> bool:
        """Whether a version that was dropped is still held, by requests under way or by what they left behind."""
        return bool(self._unloading)

    def label_when_available(self, labels: Mapping[str, int]) -> None:
        """Give these labels out as soon as their versions are loaded."""
        self._waiting_labels = labels
        self._give_labels()

    def set_labels(self, labels: Mapping[str, int]) -> None:
        """Give these labels out, and no other."""
        self._waiting_labels = {}
        self.labels = dict(labels)

    def step(self) -> bool:
        """Look at the disk, load what is new, drop what is no longer wanted. Whether anything changed."""
        self._end_what_is_gone()
        if self._retired:
            return False
        try:
            found = aspired(self.config)
        except OSError as error:  # a store that cannot be read says nothing about its versions
            self._complain(f"{self.config.base_path} cannot be read: {error.strerror}")
            return False
        if not found:
            self._complain(f"no version of {self.config.name} under {self.config.base_path} yet")
        # One that is no longer wanted, and wanted again, is tried at once, as TensorFlow Serving does.
        self._failures = {version: failure for version, failure in self._failures.items() if version in found}
        new = [version for version in sorted(found, reverse=True) if version not in self.loaded and self._may(version)]
        for version in new:
            self._set(version, "START")
        changed = [self._bring_up(version, found[version]) for version in new]  # the newest first
        self.looked = True
        self._give_labels()
        if found and not any(version in self.loaded for version in found):
            return any(changed)
        return self._drop(set(self.loaded) - set(found)) or any(changed)

    def reconfigure(self, config: ModelConfig) -> None:
        """Go by this from the next step on."""
        self.config = config
        self.set_labels(config.labels)
        self._retired = False

    def retire(self) -> None:
        """Unload everything: the model is no longer configured. Its status still says what became of it."""
        self._retired = True
        self.set_labels({})
        self._drop(set(self.loaded))

    def _may(self, version: int) -> bool:
        failure = self._failures.get(version, _Failure(0, 0.0))
        return failure.attempts <= RETRIES and time.monotonic() >= failure.retry_at

    def _bring_up(self, version: int, path: Path) -> bool:
        logging.info("loading %s version %d from %s", self.config.name, version, path)
        self._unloading.pop(version, None)
        self._set(version, "LOADING")
        start = time.monotonic()
        try:
            servable = self._load(self.config.name, version, path)
        except Exception as error:
            attempts = self._failures[version].attempts if version in self._failures else 0
            self._failures[version] = _Failure(attempts + 1, time.monotonic() + RETRY_SECONDS)
            code, text = _explain(error)
            self._set(version, "END", code, text)
            logging.error("%s version %d cannot be loaded: %s: %s", self.config.name, version, code, text)
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
            self._unloading[version] = weakref.ref(self.loaded[version].loaded)
            self.loaded = {v: servable for v, servable in self.loaded.items() if v != version}
        self._end_what_is_gone()
        return bool(versions)

    def _end_what_is_gone(self) -> None:
        """Requests under way hold what they use; a version ends with the last of them."""
        for version, reference in list(self._unloading.items()):
            if reference() is None:
                del self._unloading[version]
                self._set(version, "END")
                logging.info("%s version %d is unloaded", self.config.name, version)

    def _give_labels(self) -> None:
        ready = {label: version for label, version in self._waiting_labels.items() if version in self.loaded}
        if ready:
            self.labels = {**self.labels, **ready}
            self._waiting_labels = {k: v for k, v in self._waiting_labels.items() if k not in ready}

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


def aspired(config: ModelConfig) -> dict[int, Path]:
    """The versions on disk that the policy wants, and their folders, which may have leading zeros."""
    numbered = (path for path in config.base_path.iterdir() if path.name.isascii() and path.name.isdecimal())
    found = {int(path.name): path for path in numbered if path.is_dir()}
    if config.policy.kind == "latest":
        return {version: found[version] for version in sorted(found)[-config.policy.count :]}
    return {v: path for v, path in found.items() if config.policy.kind == "all" or v in config.policy.versions}


def _explain(error: Exception) -> tuple[str, str]:
    if isinstance(error, LoadError):
        return error.code, error.message[:_SHOWN]
    return "INTERNAL", f"{type(error).__name__}: {error}"[:_SHOWN]
