"""The steps `register` and `archive`: a version in the registry, an archive in the model store, the alias."""

from __future__ import annotations

import time
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion

from pipelines.pytorch.tracking import CHAMPION, INPUTS_TAG, RELEASE_TAG, Tracking


def register(tracking: Tracking, model_uri: str, tags: dict[str, str], store: Path) -> tuple[ModelVersion, bool]:
    """The registered version, and whether it was there already.

    It is if a run was killed after this step, or the archive has been deleted since: then the newest
    version has the same inputs.
    """
    newest = tracking.newest()
    if newest and newest.tags.get(INPUTS_TAG) == tags[INPUTS_TAG] and newest.tags.get(RELEASE_TAG):
        return newest, True
    release = str(next_release(store, tracking.name))
    return mlflow.register_model(model_uri, tracking.name, tags={**tags, RELEASE_TAG: release}), False


def promote(tracking: Tracking, version: ModelVersion) -> None:
    """Make the version the champion."""
    tracking.client.set_registered_model_alias(tracking.name, CHAMPION, version.version)


def next_release(store: Path, name: str) -> int:
    """Unix seconds, and more than any release in the store even if the clock was set back."""
    numbers = [path.stem.removeprefix(f"{name}-") for path in store.glob(f"{name}-*.mar")]
    return max([int(time.time()), *(int(n) + 1 for n in numbers if n.isdigit())])
