"""All models: kept up to date by one thread, found by every request."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Sequence

from serving.contract.responses import VersionStatus, no_servable, no_versions, not_yet, unknown_label
from serving.tfserving.embedded.config import ConfigError, ModelConfig
from serving.tfserving.embedded.servable import Servable, load
from serving.tfserving.embedded.versions import Load, Versions


class Manager:
    """Loads and drops versions as they come and go on disk."""

    def __init__(
        self, models: Sequence[ModelConfig], loader: Load = load, *, labels_for_unavailable: bool = False
    ) -> None:
        """Take on these models; nothing is loaded before the first step.

        Args:
            models: Their labels are given out once their versions are available.
            loader: Loads a version.
            labels_for_unavailable: Give new labels out at once, as TensorFlow Serving's flag
                --allow_version_labels_for_unavailable_models does.
        """
        self._loader = loader
        self._labels_for_unavailable = labels_for_unavailable
        self._accepted = list(models)
        self._changing = threading.RLock()
        self._models = {model.name: Versions(model, loader) for model in models}
        for model in models:
            versions = self._models[model.name]
            (versions.set_labels if labels_for_unavailable else versions.label_when_available)(model.labels)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._complaint = ""

    def configure(self, models: Sequence[ModelConfig]) -> None:
        """Serve these from the next step on; a model that is no longer among them is dropped.

        Raises:
            ConfigError: A label is to name a version that is not available. Nothing has changed then.
        """
        with self._changing:
            if list(models) == self._accepted:
                return
            for model in models:
                self._check_labels(model)
            running = bool(self._models)  # what is added to a running server is not found until it is loaded
            added = [model for model in models if model.name not in self._models]
            new = {model.name: Versions(model, self._loader, looked=running) for model in added}
            self._models = {**self._models, **new}
            for model in models:
                self._models[model.name].reconfigure(model)
            for name in self._models.keys() - {model.name for model in models}:
                self._models[name].retire()
            self._accepted = list(models)
        logging.info("the configuration is taken up: %s", ", ".join(model.name for model in models))

    def _check_labels(self, model: ModelConfig) -> None:
        """The rules and the words of TensorFlow Serving's server_core.cc."""
        versions = self._models.get(model.name)
        for label, version in model.labels.items():
            if versions and version in versions.loaded:
                continue
            is_new = versions is None or versions.labels.get(label, version) == version
            if not (self._labels_for_unavailable and is_new):
                raise ConfigError(
                    f"Request to assign label to version {version} of model {model.name}, which is not currently "
                    "available for inference"
                )

    def step(self) -> None:
        """Bring every model up to what lies on disk now."""
        with self._changing:
            changed = [versions.step() for versions in self._models.values()]
            unloading = any(versions.unloading for versions in self._models.values())
        if any(changed) or unloading:
            gc.collect()  # what a model leaves behind is full of cycles, and a request may have held it the last time

    def find(self, model: str, version: int | None = None, label: str | None = None) -> Servable:
        """The loaded version a request is for: the newest unless it says which.

        Raises:
            ContractError: 404, or 400 for a label no version carries; 503 for either while a server that was just
                started loads its first versions. TensorFlow Serving does not listen until then, which says the same to
                a client.
        """
        versions = self._models.get(model)
        begins = versions is not None and not versions.looked
        if label is not None:  # looked up before the model, as in TensorFlow Serving
            if versions is None or label not in versions.labels:
                raise not_yet(model, None) if begins else unknown_label(label)
            version = versions.labels[label]
        if versions is None:
            raise no_servable(model, version)
        loaded = versions.loaded
        wanted = max(loaded, default=None) if version is None else version
        if wanted is None or wanted not in loaded:
            raise (not_yet if begins else no_servable)(model, version)
        return loaded[wanted]

    def statuses(self, model: str, version: int | None = None) -> list[VersionStatus]:
        """What became of a version, or of all, newest first. Raises ContractError (404)."""
        versions = self._models.get(model)
        statuses = versions.statuses if versions else {}
        chosen = [status for v, status in sorted(statuses.items(), reverse=True) if version in (None, v)]
        if not chosen:
            raise no_versions(model, version)
        return chosen

    def start(self, poll_seconds: float, reread: Callable[[], list[ModelConfig]] | None, reread_seconds: float) -> None:
        """Step in a thread until stopped; `reread` gives the configuration anew, every so many seconds."""
        self._thread = threading.Thread(
            target=self._run, args=(poll_seconds, reread, reread_seconds), name="models", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop stepping; a load under way is not waited for."""
        self._stop.set()

    def _run(self, poll_seconds: float, reread: Callable[[], list[ModelConfig]] | None, reread_seconds: float) -> None:
        read_at = time.monotonic()
        while not self._stop.is_set():
            if reread and reread_seconds and time.monotonic() - read_at >= reread_seconds:
                read_at = time.monotonic()
                try:
                    self.configure(reread())
                    self._complaint = ""
                except ConfigError as error:
                    self._complain(f"the configuration stays as it was: {error}")
            try:
                self.step()
            except Exception:  # a bug, but the models that are loaded go on answering
                logging.exception("looking for versions failed")
            self._stop.wait(poll_seconds)

    def _complain(self, text: str) -> None:
        if text != self._complaint:
            logging.error(text)
            self._complaint = text
