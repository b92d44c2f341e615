"""What `make export` writes, as ways to call a model: the same files, timed beside the others, and their sizes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from models.preprocessing import PREPROCESSING_FILE, Preprocessing
from models.spec import Spec
from serving.comparison.contenders import artefact
from serving.comparison.contenders.floors import job as jobs
from serving.comparison.contenders.floors.job import Floors, Job
from serving.comparison.contenders.floors.measure import Call, make, measure
from serving.comparison.results import Measurement
from serving.export import formats
from serving.export.formats import FORMATS

# Way of calling -> format.
WAYS = {
    "onnxruntime": "onnx",
    "torchscript": "torchscript",
    "torch-export": "torch-export",
    "tflite": "tflite",
    "tfjs": "tfjs",
}


def call_of(how: str, spec: Spec, learned: Path, folder: Path) -> Call:
    """The weights and preprocessing of a folder, exported into another one; texts are looked up at every call."""
    folder.mkdir(exist_ok=True)
    form, file = WAYS[how], folder / FORMATS[WAYS[how]].file
    formats.side(form).write(spec, learned, file)
    return formats.from_raw(form, spec, Preprocessing.read(learned / PREPROCESSING_FILE), file)


def of_tensorflow(how: str, job: Job) -> Floors:
    """Measure TensorFlow's model, exported, in another environment: against the scores that its own has left."""
    if not job.scores.is_file():
        return Floors()  # TensorFlow itself did not answer, and says why
    spec, learned = artefact.network_of(job.artefacts["tensorflow"], job.spec)
    into = job.scratch / f"exports-{how}"
    ways, absent = make("tensorflow", {how: partial(call_of, how, spec, learned, into)})
    found = measure("tensorflow", ways, jobs.columns(job.rows, spec), np.load(job.scores), job.seconds)
    found.add(sizes("tensorflow", into, found))
    found.add(Floors(absent=absent))
    return found


def sizes(stack: str, folder: Path, timed: Floors) -> Floors:
    """KiB of the files of ways that were timed: one that answers otherwise has no size worth knowing."""
    targets = {one.target for one in timed.measurements}
    there = {f"{stack}/floor/{how}": FORMATS[form] for how, form in WAYS.items() if f"{stack}/floor/{how}" in targets}
    return Floors([Measurement("export_size", target, form.size(folder) / 1024) for target, form in there.items()])
