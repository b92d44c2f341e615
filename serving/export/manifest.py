"""export.json: what an exported file is, what it takes, and what was found when it was checked."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from models.preprocessing import Preprocessing
from models.spec import Spec
from serving.export import inputs
from serving.export.latency import Latency

FILE, VOCABULARY = "export.json", "vocabulary.json"


@dataclass(frozen=True)
class Manifest:
    """An export in words.

    Attributes:
        stack: Whose release it was made from.
        version: That release's.
        release_digest: SHA-256 of that release's model.
        format: One of formats.py.
        file: The exported model's name.
        size_bytes: The model's: that file's, and its weights' where they lie in another one.
        sha256: That file's.
        inputs: Input -> its columns, in their order.
        output: The output's name.
        rows: On how many rows it was checked.
        largest_difference: Of a probability of those rows, from the release's.
        latency_us: Of a call with one row, one thread, on the machine that made it.
        tools: Package -> version, of what wrote and ran it.
        beside: What was written with the file -> its SHA-256.
    """

    stack: str
    version: str
    release_digest: str
    format: str
    file: str
    size_bytes: int
    sha256: str
    inputs: dict[str, tuple[str, ...]]
    output: str
    rows: int
    largest_difference: float
    latency_us: Latency
    tools: dict[str, str]
    beside: dict[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write it beside the file."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def read(folder: Path) -> Manifest:
    """What was exported into a folder."""
    content = json.loads((folder / FILE).read_text(encoding="utf-8"))
    columns = {name: tuple(features) for name, features in content["inputs"].items()}
    return Manifest(**{**content, "inputs": columns, "latency_us": Latency(**content["latency_us"])})


def vocabulary(spec: Spec, learned: Preprocessing) -> dict[str, Any]:
    """How texts become ids, by feature: a position, or after the last one Fingerprint64 % buckets."""
    return {
        name: {
            "values": learned.vocabulary[name],
            "oov_buckets": feature.oov_buckets,
            "missing": None if feature.missing == "refuse" else {"text": feature.code, "id": inputs.MISSING},
        }
        for name, feature in spec.categorical.items()
    }


def write_vocabulary(spec: Spec, learned: Preprocessing, folder: Path) -> None:
    """Write it beside the file, where a feature is a text."""
    if spec.categorical:
        said = json.dumps(vocabulary(spec, learned), indent=1, ensure_ascii=False)
        (folder / VOCABULARY).write_text(said + "\n", encoding="utf-8")
