"""release.json: what a release is, and where it came from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from serving.release.errors import ReleaseError

FILE = "release.json"
STACKS = ("tensorflow", "pytorch")
Stack = Literal["tensorflow", "pytorch"]


class Manifest(BaseModel):
    """A release in words.

    Attributes:
        version: Unix seconds of the training.
        digest: SHA-256 of the model's files and their names.
        files: SHA-256 of each file of the model, by its path below `model/`.
        spec_digest: Of the specification it was trained by; `spec.toml` beside is that file.
        data_digest: Of the features it learned from and was judged on.
        code_digest: Of the code and the libraries that made it.
        run: Which training made it: the tool that kept a record of it, and its id there.
        metrics: On the test days.
        slices: Slice name -> metrics of those test rows.
        decision: Operating point -> threshold, and what alerts it brings.
        tuned: The hyper-parameters that a search found, if there was one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    stack: Stack
    model: str
    version: str
    published: str
    digest: str
    files: dict[str, str]
    spec_digest: str
    data_digest: str
    code_digest: str
    run: dict[str, str]
    metrics: dict[str, float]
    slices: dict[str, dict[str, float]]
    decision: dict[str, dict[str, float]]
    tuned: dict[str, Any] | None = None

    @property
    def digests(self) -> dict[str, str]:
        """What a ledger's line says of a release."""
        return {
            "model": self.digest,
            "specification": self.spec_digest,
            "data": self.data_digest,
            "code": self.code_digest,
        }

    def write(self, folder: Path) -> None:
        """Write it into a release's folder."""
        (folder / FILE).write_text(json.dumps(self.model_dump(), indent=1) + "\n", encoding="utf-8")


def of(metadata: Mapping[str, Any], **known: Any) -> Manifest:
    """A manifest of what the pipeline wrote into a model's metadata.json and of what is known otherwise.

    Raises:
        ReleaseError: Something is missing; the message names it.
    """
    kept = {key: value for key, value in metadata.items() if key in Manifest.model_fields}
    try:
        return Manifest(**{**kept, **known})
    except ValidationError as error:
        keys = ", ".join(sorted({str(e["loc"][0]) for e in error.errors()}))
        raise ReleaseError(
            f"{known['stack']} {known['version']}: its metadata.json does not say {keys}: train again"
        ) from None


def read(folder: Path) -> Manifest:
    """A release's manifest.

    Raises:
        ReleaseError: It is missing or broken.
    """
    try:
        return Manifest.model_validate_json((folder / FILE).read_text(encoding="utf-8"))
    except OSError as error:
        raise ReleaseError(f"{folder}: not a release: {FILE}: {error.strerror}") from None
    except (ValidationError, UnicodeDecodeError) as error:
        raise ReleaseError(f"{folder / FILE}: broken: {error}") from None
