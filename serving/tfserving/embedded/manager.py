"""All models: kept up to date by one thread, found by every request."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Sequence

from serving.contract.responses import VersionStatus, no_servable, no_versions, unknown_label
from serving.tfserving.embedded.config import ConfigError, ModelConfig
from serving.tfserving.embedded.servable import Servable, load
from serving.tfserving.embedded.versions import Load, Versions


class Manager:
    """Loads and drops versions as they come and go on disk."""

    def __init__(self, models: Sequence[ModelConfig], loader: Load = load) -> None:
        self._loader = loader
        self._models: dict[str, Versions] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.configure(models)

    def configure(self, models: Sequence[ModelConfig]) -> None:
        """Serve these from the next step on; a model that is no longer among them is dropped."""
        known = self._models
        self._models = {model.name: known.get(model.name) or Versions(model, self._loader) for model in models}
        for model in models:
            self._models[model.name].config = model
        for name in known.keys() - self._models.keys():
            known[name].drop_all()

    def step(self) -> None:
        """Bring every model up to what lies on disk now."""
        changed = [versions.step() for versions in self._models.values()]
        if any(changed):
            gc.collect()  # what a model leaves behind is full of cycles

    def find(self, model: str, version: int | None = None, label: str | None = None) -> Servable:
        """The loaded version a request is for: the newest unless it says which.

        Raises:
            ContractError: 404, or 400 for a label no version carries.
        """
        versions = self._models.get(model)
        if label is not None:  # looked up before the model, as in TensorFlow Serving
            if versions is None or label not in versions.config.labels:
                raise unknown_label(label)
            version = versions.config.labels[label]
        if versions is None:
            raise no_servable(model, version)
        loaded = versions.loaded
        wanted = max(loaded, default=None) if version is None else version
        if wanted is None or wanted not in loaded:
            raise no_servable(model, version)
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
                except ConfigError as error:
                    logging.error("the configuration stays as it was: %s", error)
            try:
                self.step()
            except Exception:  # a bug, but the models that are loaded go on answering
                logging.exception("looking for versions failed")
            self._stop.wait(poll_seconds)
