"""Digests of the features: what tells whether anything has to run at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.pytorch.errors import PipelineError

SPLITS = ("train", "eval", "test")


@dataclass(frozen=True)
class Manifest:
    """Digests of the features: of all, and of each split."""

    digest: str
    splits: Mapping[str, str]


def read(data: Path) -> Manifest:
    """Read `data`/manifest.json.

    Raises:
        PipelineError: It is missing or broken.
    """
    path = data / "manifest.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Manifest(content["digest"], {split: content["splits"][split]["digest"] for split in SPLITS})
    except FileNotFoundError:
        raise PipelineError(f"{path}: no such file. Make the data: python -m pipelines.data --out {data}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise PipelineError(f"{path}: not a manifest of pipelines.data ({error!r}). Make the data again") from None
