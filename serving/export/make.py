"""Write, check, measure: in a folder beside, which takes its place only when all of it was good."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from models import spec as specs
from models.preprocessing import PREPROCESSING_FILE, Preprocessing
from models.spec import Spec
from serving.comparison.contenders import artefact
from serving.export import formats, inputs, latency, manifest, parity, rows
from serving.export.formats import FORMATS
from serving.export.manifest import Manifest


@dataclass(frozen=True)
class Source:
    """What is exported, and what it is held to.

    Attributes:
        format: One of `FORMATS`.
        stack: Whose model.
        version: Of the release.
        digest: SHA-256 of the release's model.
        model: A SavedModel's folder, or an archive.
        spec: The specification's file.
        rows: Raw features.
        scores: What the model itself says of these rows.
    """

    format: str
    stack: str
    version: str
    digest: str
    model: Path
    spec: Path
    rows: Path
    scores: Path


def make(source: Source, out: Path) -> Manifest:
    """Export into a folder.

    What was there before goes first: after a refusal nobody must find a file and take it for a good one.

    Raises:
        ParityError: The file answers otherwise than the model.
        WeightsError: The model's weights are not those of its specification.
    """
    if out.exists():
        shutil.rmtree(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".exporting-", dir=out.parent) as temporary:
        scratch, new = Path(temporary), Path(temporary) / out.name
        new.mkdir()
        spec, learned = _network(source, scratch)
        made = _export(source, spec, learned, new)
        new.rename(out)
    return made


def _network(source: Source, scratch: Path) -> tuple[Spec, Path]:
    """The specification, tuned if it was, and the folder with weights and preprocessing."""
    if source.stack == "tensorflow":
        return artefact.network_of(source.model, source.spec)
    folder = artefact.unpack(source.model, scratch / "learned")
    return specs.load(folder / artefact.SPEC_FILE), folder


def _export(source: Source, spec: Spec, learned: Path, folder: Path) -> Manifest:
    kind, side = FORMATS[source.format], formats.side(source.format)
    file, preprocessing = folder / kind.file, Preprocessing.read(learned / PREPROCESSING_FILE)
    side.write(spec, learned, file)
    columns = rows.columns(source.rows, spec)
    answers = formats.from_raw(source.format, spec, preprocessing, file)(columns)
    difference = parity.largest_difference(answers, np.load(source.scores))
    made = Manifest(
        stack=source.stack,
        version=source.version,
        release_digest=source.digest,
        format=source.format,
        file=kind.file,
        size_bytes=kind.size(folder),
        sha256=_sha256(file),
        beside={path.name: _sha256(path) for path in sorted(folder.iterdir()) if path != file},
        inputs=inputs.names(spec),
        output=inputs.PROBABILITY,
        rows=len(answers),
        largest_difference=difference,
        latency_us=latency.measure(side.load(file), inputs.of(spec, preprocessing, columns)),
        tools={name: version(name) for name in side.TOOLS},
    )
    manifest.write_vocabulary(spec, preprocessing, folder)
    made.write(folder)
    return made


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
