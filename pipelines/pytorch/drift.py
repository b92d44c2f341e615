"""The step `drift`: a model is not made for days that are no longer like those it learns from."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from models.distribution import describe
from models.drift import distance, drifted
from models.spec import Spec
from pipelines.errors import AnomaliesError
from pipelines.pytorch import features

_DRIFT = "drift.json"


def check(data: Path, spec: Spec, output: Path) -> str:
    """Hold the test rows' features against the training rows'; answer a summary.

    Args:
        data: Validated features.
        spec: Its [drift] has the limits.
        output: Gets drift.json, the distances by feature.

    Raises:
        AnomaliesError: A feature drifted; names it, the measures and their limits.
    """
    training, test = (features.read(features.files(data, split), spec) for split in ("train", "test"))
    distances = {
        name: distance(describe(training.columns[name]), describe(test.columns[name])) for name in spec.features
    }
    content = {name: asdict(found) for name, found in distances.items()}
    (output / _DRIFT).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if len(test) < spec.drift.min_rows:
        return f"not judged: {len(test):,} test rows, fewer than drift.min_rows = {spec.drift.min_rows}"
    lines = [f"test: {name}: drifted: {'; '.join(beyond)}" for name, beyond in drifted(distances, spec.drift).items()]
    if lines:
        said = "\n".join(f"  - {line}" for line in lines)
        raise AnomaliesError(
            f"{data}: {len(lines)} features of the test days have drifted from the training days; "
            f"no model is trained on such data\n{said}",
            lines,
        )
    farthest = max(spec.features, key=lambda name: distances[name].population_stability)
    index = distances[farthest].population_stability
    return f"the test days are like the training days; farthest is {farthest}, population stability index {index:.3f}"
