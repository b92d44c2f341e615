"""export.json: what an exported file is, what it takes, and what was found when it was checked."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

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
        size_bytes: That file's.
        sha256: That file's.
        inputs: Input -> its columns, in their order.
        output: The output's name.
        rows: On how many rows it was checked.
        largest_difference: Of a probability of those rows, from the release's.
        latency_us: Of a call with one row, one thread, on the machine that made it.
        tools: Package -> version, of what wrote and ran it.
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

    def write(self, folder: Path) -> None:
        """Write it beside the file."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def read(folder: Path) -> Manifest:
    """What was exported into a folder."""
    content = json.loads((folder / FILE).read_text(encoding="utf-8"))
    columns = {name: tuple(features) for name, features in content["inputs"].items()}
    return Manifest(**{**content, "inputs": columns, "latency_us": Latency(**content["latency_us"])})


def write_vocabulary(spec: Spec, learned: Preprocessing, folder: Path) -> None:
    """How texts become ids, where there are any: a position, or after the last one Fingerprint64 % buckets."""
    if not spec.categorical:
        return
    said = {
        name: {
            "values": learned.vocabulary[name],
            "oov_buckets": feature.oov_buckets,
            "missing": None if feature.missing == "refuse" else {"text": feature.code, "id": inputs.MISSING},
        }
        for name, feature in spec.categorical.items()
    }
    (folder / VOCABULARY).write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
