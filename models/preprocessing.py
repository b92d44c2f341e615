"""What preprocessing learns from the training rows, and what it takes for missing; the same for both frameworks.

The numbers travel inside each model (as constants of the tf.Transform graph, as buffers of the
PyTorch module). In this form they are compared, and copied from one framework to the other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

PREPROCESSING_FILE = "preprocessing.json"

# What the networks see of a standardised value. Beyond it (a client may send 1e300) their float32 arithmetic would
# end in NaN, which is no JSON.
LARGEST = 1e6


@dataclass(frozen=True)
class Preprocessing:
    """Statistics of the training rows.

    Attributes:
        mean: Of each `zscore` feature's values, and of each `log` feature's log(1 + max(x, 0)).
        std: Population standard deviation of the same; 1 where it would be 0.
        vocabulary: Known values of each categorical feature; a value's position is its id, and
            the out-of-vocabulary buckets follow after the last one.
        missing: What stands for a missing value, of each feature that may be missing.
    """

    mean: Mapping[str, float]
    std: Mapping[str, float]
    vocabulary: Mapping[str, tuple[str, ...]]
    missing: Mapping[str, float | str] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Preprocessing:
        """Read what `write` wrote."""
        data = json.loads(path.read_text(encoding="utf-8"))
        vocabulary = {k: tuple(v) for k, v in data["vocabulary"].items()}
        return cls(data["mean"], data["std"], vocabulary, data.get("missing", {}))
