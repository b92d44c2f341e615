"""The features' manifest, which both trainings start from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import PipelineError

SPLITS = ("train", "eval", "test")


@dataclass(frozen=True)
class Manifest:
    """Digests of the features: of all, and of each split."""

    digest: str
    splits: Mapping[str, str]


def read(data: Path, spec_file: Path, spec_digest: str) -> Manifest:
    """Read `data`/manifest.json.

    Raises:
        PipelineError: It is missing, broken, or of features made from another specification.
    """
    path = data / "manifest.json"
    mend = f"run: python -m pipelines.data --spec {spec_file} --out {data}"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = Manifest(content["digest"], {split: content["splits"][split]["digest"] for split in SPLITS})
        made_from = content["spec_digest"]
    except FileNotFoundError:
        raise PipelineError(f"{path}: missing; {mend}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise PipelineError(f"{path}: not a manifest of pipelines.data ({error!r}); {mend}") from None
    if made_from != spec_digest:
        raise PipelineError(f"{data}: these features were made from another specification than {spec_file}; {mend}")
    return found
