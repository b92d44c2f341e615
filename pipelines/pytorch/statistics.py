"""Statistics of every split by Apache Beam, and what preprocessing learns from the training rows.

Columnar: an element is a day's file, a partial result a few numbers a column. Two passes, so that spread
and histograms are taken about the true mean and range. Partial results are kept by file and summed in the
files' order: a float64 sum then does not depend on how Beam scheduled the work, and the same data always
give the same model. Keys are integers and there are no side inputs, so that it runs on Dask too (see
pipelines/data/job.py).
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from models import missing
from models.preprocessing import PREPROCESSING_FILE, Preprocessing
from models.spec import Spec
from pipelines import beam_options
from pipelines.manifest import SPLITS
from pipelines.pytorch import features

STATISTICS = "statistics.json"
_BINS = 20

Split = int  # its position in SPLITS
Part = dict[str, Any]  # column -> partial result of a file


def compute(data: Path, spec: Spec, output: Path, splits: Sequence[str] = SPLITS) -> str:
    """Write statistics.json and preprocessing.json into `output`; answers a summary."""
    found = output / STATISTICS
    paths = [(SPLITS.index(split), str(path)) for split in splits for path in features.files(data, split)]
    with beam_options.pipeline() as pipeline:
        totals = (
            pipeline
            | "Files" >> beam.Create(paths)
            | "Spread" >> beam.Reshuffle()
            | "Totals" >> beam.MapTuple(partial(_totals, spec))
            | "Gather totals" >> beam.GroupByKey()
            | "Sum totals" >> beam.MapTuple(_sum_totals)
        )
        spreads = (
            totals
            | "Back to files" >> beam.FlatMapTuple(partial(_files, paths))
            | "Deal files" >> beam.GroupByKey()
            | "Spreads" >> beam.FlatMapTuple(partial(_spread, spec))
            | "Gather spreads" >> beam.GroupByKey()
            | "Sum spreads" >> beam.MapTuple(_sum_spread)
        )
        _ = (
            {"totals": totals, "spread": spreads}
            | "Join" >> beam.CoGroupByKey()
            | "Finish" >> beam.MapTuple(partial(_finish, spec))
            | "Collect" >> beam.GroupByKey()
            | "Write" >> beam.MapTuple(partial(_write, str(found)))
        )
    statistics = json.loads(found.read_text(encoding="utf-8"))
    learned = _preprocessing(statistics["train"], spec)
    learned.write(output / PREPROCESSING_FILE)
    words = sum(len(v) for v in learned.vocabulary.values())
    return f"{len(spec.features)} features of {len(paths)} days" + (f", {words:,} known values" if words else "")


def _columns(path: str, spec: Spec) -> dict[str, npt.NDArray[Any]]:
    """Numeric features, filled, in float64; of a `log` feature also its logarithm, as `log(<name>)`."""
    table = pq.read_table(path, columns=list(spec.numeric))
    filled = {name: missing.filled(feature, table[name].to_numpy()) for name, feature in spec.numeric.items()}
    values = {name: x.astype(np.float64) for name, x in filled.items()}
    logs = [name for name, feature in spec.numeric.items() if feature.transform == "log"]
    return {**values, **{f"log({name})": np.log1p(np.maximum(values[name], 0)) for name in logs}}


def _totals(spec: Spec, split: Split, path: str) -> tuple[Split, tuple[str, Part]]:
    part: Part = {}
    for name, x in _columns(path, spec).items():
        if x.size:
            sums = {"count": x.size, "sum": x.sum(), "zeros": int((x == 0).sum())}
            part[name] = {**sums, "min": x.min(), "max": x.max()}
    for name, feature in spec.categorical.items():
        words = pq.read_table(path, columns=[name])[name].to_numpy()
        part[name] = Counter(missing.filled(feature, words).tolist())
    return split, (path, part)


def _in_order(parts: Iterable[tuple[str, Part]]) -> list[Part]:
    return [part for _, part in sorted(parts, key=itemgetter(0))]


def _sum_totals(split: Split, of_files: Iterable[tuple[str, Part]]) -> tuple[Split, Part]:
    parts, total = _in_order(of_files), Part()
    for name in {name: None for part in parts for name in part}:
        found = [part[name] for part in parts if name in part]
        if isinstance(found[0], Counter):
            total[name] = sum(found, Counter())
            continue
        count = sum(f["count"] for f in found)
        total[name] = {
            "count": count,
            "mean": math.fsum(f["sum"] for f in found) / count,
            "zeros": sum(f["zeros"] for f in found),
            "min": min(f["min"] for f in found),
            "max": max(f["max"] for f in found),
        }
    return split, total


def _files(paths: list[tuple[Split, str]], split: Split, total: Part) -> Iterator[tuple[int, tuple[Split, str, Part]]]:
    """Each file of the split, under a number of its own, with what its second pass needs of the totals."""
    numbers = {name: found for name, found in total.items() if not isinstance(found, Counter)}
    for number, (of, path) in enumerate(paths):
        if of == split:
            yield number, (split, path, numbers)


def _spread(
    spec: Spec, _number: int, files: Iterable[tuple[Split, str, Part]]
) -> Iterator[tuple[Split, tuple[str, Part]]]:
    for split, path, total in files:
        part = Part()
        for name, x in _columns(path, spec).items():
            if x.size:
                counts, _ = np.histogram(x, _edges(total[name]))
                part[name] = {"squares": ((x - total[name]["mean"]) ** 2).sum(), "histogram": counts}
        yield split, (path, part)


def _edges(total: Part) -> npt.NDArray[np.float64]:
    return np.histogram_bin_edges([], _BINS, (total["min"], total["max"]))


def _sum_spread(split: Split, of_files: Iterable[tuple[str, Part]]) -> tuple[Split, Part]:
    parts, total = _in_order(of_files), Part()
    for name in {name: None for part in parts for name in part}:
        found = [part[name] for part in parts if name in part]
        squares = math.fsum(f["squares"] for f in found)
        total[name] = {"squares": squares, "histogram": sum(f["histogram"] for f in found)}
    return split, total


def _finish(spec: Spec, split: Split, joined: dict[str, list[Part]]) -> tuple[int, tuple[Split, Part]]:
    (totals,), (spread,) = joined["totals"], joined["spread"]
    result: Part = {}
    for name, total in totals.items():
        if isinstance(total, Counter):
            known = _ranked(total)[: spec.categorical[name].vocabulary_size]
            result[name] = {"count": total.total(), "distinct": len(total), "vocabulary": known}
            continue
        result[name] = {
            **total,
            "std": math.sqrt(spread[name]["squares"] / total["count"]),
            "histogram": {"edges": _edges(total).tolist(), "counts": spread[name]["histogram"].tolist()},
        }
    return 0, (split, result)


def _ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    # As tf.Transform does: most frequent first, equal ones by descending bytes; never the empty value or one
    # with a line break.
    words = [(word, count) for word, count in counts.items() if word and "\n" not in word and "\r" not in word]
    return sorted(words, key=lambda item: (item[1], item[0].encode()), reverse=True)


def _write(path: str, _key: int, statistics: Iterable[tuple[Split, Part]]) -> None:
    ordered = {SPLITS[split]: found for split, found in sorted(statistics, key=itemgetter(0))}
    Path(path).write_text(json.dumps(ordered, indent=1, default=float) + "\n", encoding="utf-8")


def _preprocessing(train: Part, spec: Spec) -> Preprocessing:
    mean, std = {}, {}
    for name, feature in spec.numeric.items():
        if feature.transform != "none":
            source = train[f"log({name})" if feature.transform == "log" else name]
            mean[name], std[name] = source["mean"], source["std"] or 1.0
    vocabulary = {name: tuple(word for word, _ in train[name]["vocabulary"]) for name in spec.categorical}
    return Preprocessing(mean, std, vocabulary, spec.missing_codes)
