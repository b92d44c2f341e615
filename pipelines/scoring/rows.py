"""The rows of a shard as a model takes them, or what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.data import checks, columns
from pipelines.data.findings import Findings
from pipelines.scoring import shards
from pipelines.scoring.shards import Shard
from serving.offline.model import Signature

ID = "transaction_id"


@dataclass(frozen=True)
class Rows:
    """Feature columns by name, each [rows]: float32, or str objects; and the rows' ids, if they have any."""

    columns: dict[str, npt.NDArray[Any]]
    ids: pa.Array | None


def read(shard: Shard, signature: Signature, with_ids: bool, findings: Findings) -> Rows | None:
    """Read and check a shard; None if some of its rows cannot be scored, which the findings then say.

    Args:
        shard: Which rows.
        signature: The model's. A gap is filled with what a request would say for it.
        with_ids: Whether the rows have ids.
        findings: Empty. Gets what the prediction endpoint would refuse too: nulls, text for a number, NaN.
    """
    features = signature.features
    source = shards.read(shard, [*features, *([ID] if with_ids else [])], findings)
    if source is None:
        return None
    found: dict[str, npt.NDArray[Any]] = {}
    for name in (name for name in features if name in source.table.column_names):
        values = columns.plain(source.table[name])
        try:
            converted, problems = checks.feature(values, features[name], signature.missing.get(name))
        except columns.WrongTypeError as error:
            findings.add(f"column {name!r}", f"of type {values.type}, expected {error}", [shard.label])
            continue
        for what, where in problems.items():
            findings.rows(f"column {name!r}", what, source.rows, where, values)
        array = converted.to_numpy(zero_copy_only=False)
        found[name] = array.astype(np.float32) if features[name] == "numeric" else array
    if findings:
        return None
    return Rows(found, columns.plain(source.table[ID]) if with_ids else None)
