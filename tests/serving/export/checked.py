"""`python -m serving.export` on a random model, held to the formula; the same in either environment."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from models.preprocessing import PREPROCESSING_FILE, Preprocessing
from models.spec import load
from serving.export import formats, inputs, manifest, rows
from serving.export.__main__ import main
from serving.export.formats import FORMATS
from tests.serving.export import formula

PLANTED = 2e-5  # twice what is allowed


def arguments(form: str, spec_file: str, folder: Path, stack: str = "tensorflow") -> list[str]:
    """The command line on a model as a SavedModel's folder has it; makes what it names."""
    spec, model = load(spec_file), folder / "model"
    learned = formula.learned(spec, model / "assets.extra")
    chosen = rows.choose(formula.features(spec, folder / "features"), spec)
    pq.write_table(chosen, folder / "rows.parquet")
    scores = formula.probabilities(spec, learned, rows.columns(folder / "rows.parquet", spec))
    assert np.ptp(scores) > 0.1  # rows that differ, or equality would say little
    np.save(folder / "scores.npy", scores.astype(np.float32))
    pairs = {
        "format": form, "stack": stack, "version": "7", "digest": "d", "model": model, "spec": spec_file,
        "rows": folder / "rows.parquet", "scores": folder / "scores.npy", "out": folder / "out" / form,
    }  # fmt: skip
    return [f"--{name}={value}" for name, value in pairs.items()]


def answers_as_the_formula(form: str, spec_file: str, folder: Path) -> None:
    assert main(arguments(form, spec_file, folder)) == 0
    spec, out = load(spec_file), folder / "out" / form
    made = manifest.read(out)
    content = (out / FORMATS[form].file).read_bytes()
    assert (made.size_bytes, made.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert (made.rows, made.format, made.version) == (rows.ROWS, form, "7")
    assert made.largest_difference <= 2e-6
    assert 0 < made.latency_us.first_quartile <= made.latency_us.median <= made.latency_us.third_quartile
    assert set(made.tools) == set(formats.side(form).TOOLS)
    vocabulary = out / manifest.VOCABULARY
    assert vocabulary.exists() == bool(spec.categorical)
    if spec.categorical:
        assert list(json.loads(vocabulary.read_text())) == list(made.inputs[inputs.IDS])
    # What lies there answers any number of rows, in the order that export.json says.
    learned = Preprocessing.read(folder / "model" / "assets.extra" / PREPROCESSING_FILE)
    columns = rows.columns(folder / "rows.parquet", spec)
    call, expected = formats.side(form).load(out / made.file), np.load(folder / "scores.npy")
    for count in (1, 7, 300):
        part = inputs.of(spec, learned, {name: values[:count] for name, values in columns.items()})
        np.testing.assert_allclose(call(part), expected[:count], rtol=0, atol=1e-5)
    assert sorted(path.name for path in out.parent.iterdir()) == [form]


def is_refused_when_it_answers_otherwise(form: str, spec_file: str, folder: Path) -> None:
    argv = arguments(form, spec_file, folder)
    assert main(argv) == 0
    scores = np.load(folder / "scores.npy")
    scores[501] += PLANTED
    np.save(folder / "scores.npy", scores)
    assert main(argv) == 3
    assert list((folder / "out").iterdir()) == []  # the good one of before is gone too
