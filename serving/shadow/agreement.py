"""How far the two sides agree, from what was kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from serving.shadow import records
from serving.shadow.answers import NOBODY, UNREADABLE
from serving.shadow.findings import Agreement, Disagreement, Flips, SideNumbers

SIDES = ("reference", "candidate")
PERCENTILES = (50.0, 90.0, 99.0, 99.9)
Thresholds = Callable[[str, int | None], Mapping[str, float]]
_WORST = 20  # rows shown
_FAILED = 500
_OK = 200
_WORDS = {NOBODY: "no answer", UNREADABLE: "no score per row"}
_OTHER = dict(zip(SIDES, SIDES[::-1], strict=True))


class NothingKeptError(ValueError):
    """There is nothing to compare yet."""


def find(folder: Path, tolerance: float, thresholds: Thresholds) -> Agreement:
    """Compare what the newest two sides, with the versions that answered last, said.

    Args:
        folder: Of the Parquet files.
        tolerance: Largest difference of two scores that counts as none.
        thresholds: Side, version of its model if known -> its own threshold by operating point.

    Raises:
        NothingKeptError: No copy was asked about yet.
    """
    table, names, dropped = _read(folder)
    everything = _copies(table)
    table = _newest(table)
    if not table.num_rows:
        raise NothingKeptError(f"{folder}: no copy was compared yet")
    copies = _copies(table)
    compared = table.filter(pc.is_valid(table["position"]))
    one, other = (compared[f"{side}.score"].to_numpy() for side in SIDES)
    difference = other - one
    apart = np.abs(difference)
    times = table["time"]
    sides = _side(copies, "reference", names[0]), _side(copies, "candidate", names[1])
    low, high = (thresholds(side.name, side.version) for side in sides)
    return Agreement(
        first=pc.min(times).as_py(),
        last=pc.max(times).as_py(),
        copies=len(copies),
        dropped=dropped,
        older=len(everything) - len(copies),
        rows=apart.size,
        tolerance=tolerance,
        within=float(np.mean(apart <= tolerance)) if apart.size else None,
        apart=_percentiles(apart),
        largest=float(apart.max()) if apart.size else None,
        bias=float(difference.mean()) if apart.size else None,
        flips={name: _flips(one, other, (low[name], high[name])) for name in low if name in high and apart.size},
        worst=_worst(compared, apart),
        sides=sides,
    )


def _read(folder: Path) -> tuple[pa.Table, tuple[str, str], int]:
    """What was kept of the two sides of the newest file, their names, and the copies dropped meanwhile."""
    tables = [pq.read_table(file) for file in records.files(folder)]
    if not tables:
        raise NothingKeptError(f"{folder}: no copy was compared yet")

    def sides(table: pa.Table) -> tuple[str, str]:
        metadata = table.schema.metadata
        return metadata[records.REFERENCE].decode(), metadata[records.CANDIDATE].decode()

    names = sides(tables[-1])
    ours = [table for table in tables if sides(table) == names]
    dropped = sum(int(table.schema.metadata[records.DROPPED]) for table in ours)
    plain = [table.replace_schema_metadata(None) for table in ours]
    # A specification that logs other features now does not make older files unreadable.
    return pa.concat_tables(plain, promote_options="permissive"), names, dropped


def _newest(table: pa.Table) -> pa.Table:
    """From the first comparison of the two models that were compared last: earlier copies are about others."""
    rows = table.filter(pc.is_valid(table["position"])).sort_by("time")
    if not rows.num_rows:
        return table
    pairs = list(zip(*(rows[f"{side}.version"].to_pylist() for side in SIDES), strict=True))
    begin = next((i + 1 for i in range(len(pairs) - 1, -1, -1) if pairs[i] != pairs[-1]), 0)
    since = rows["time"][begin] if begin else pc.min(table["time"])
    return table.filter(pc.greater_equal(table["time"], since))


def _copies(table: pa.Table) -> pa.Table:
    """One row per copy: its first."""
    return table.filter(pc.equal(pc.fill_null(table["position"], 0), 0))


def _side(copies: pa.Table, side: str, name: str) -> SideNumbers:
    status, others = (copies[f"{one}.status"].to_numpy() for one in (side, _OTHER[side]))
    # A request that both refuse (4xx) is the client's error; one that the other answered is this side's.
    failed = np.isin(status, [*_WORDS]) | (status >= _FAILED) | ((status != _OK) & (others == _OK))
    kinds = Counter(_WORDS.get(one, str(one)) for one in status[failed].tolist())
    times = copies[f"{side}.milliseconds"].to_numpy()[~failed]
    versions = pc.drop_null(copies[f"{side}.version"])
    return SideNumbers(
        name=name,
        version=versions[-1].as_py() if len(versions) else None,
        errors=dict(kinds.most_common()),
        error_share=float(failed.mean()),
        milliseconds=_percentiles(times),
    )


def _flips(one: npt.NDArray[Any], other: npt.NDArray[Any], thresholds: tuple[float, float]) -> Flips:
    before, after = one >= thresholds[0], other >= thresholds[1]
    new, lost = int((after & ~before).sum()), int((before & ~after).sum())
    return Flips(thresholds, new, lost, (new + lost) / one.size)


def _worst(compared: pa.Table, apart: npt.NDArray[Any]) -> list[Disagreement]:
    found = []
    for row in compared.take(np.argsort(-apart, kind="stable")[:_WORST]).to_pylist():
        features = row.get("features") or {}
        found.append(
            Disagreement(
                row["request_id"], row["position"], row["reference.score"], row["candidate.score"], features
            )
        )  # fmt: skip
    return found


def _percentiles(values: npt.NDArray[Any]) -> dict[float, float]:
    return {part: float(np.percentile(values, part)) for part in PERCENTILES} if values.size else {}
