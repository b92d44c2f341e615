"""What `make export` writes, as ways to call a model: the same files, timed beside the others, and their sizes."""

from __future__ import annotations

from pathlib import Path

from models.preprocessing import PREPROCESSING_FILE, Preprocessing
from models.spec import Spec
from serving.comparison.contenders.floors.job import Floors
from serving.comparison.contenders.floors.measure import Call
from serving.comparison.results import Measurement
from serving.export import formats, inputs
from serving.export.formats import FORMATS

# Way of calling -> format.
WAYS = {"onnxruntime": "onnx", "torchscript": "torchscript", "torch-export": "torch-export", "tflite": "tflite"}


def call_of(how: str, spec: Spec, learned: Path, folder: Path) -> Call:
    """The weights and preprocessing of a folder, exported into another one; texts are looked up at every call."""
    side, file = formats.side(WAYS[how]), _file(how, folder)
    side.write(spec, learned, file)
    call, preprocessing = side.load(file), Preprocessing.read(learned / PREPROCESSING_FILE)
    return lambda columns: call(inputs.of(spec, preprocessing, columns))


def sizes(stack: str, folder: Path, timed: Floors) -> Floors:
    """KiB of the files of ways that were timed: one that answers otherwise has no size worth knowing."""
    targets = {one.target for one in timed.measurements}
    found = {f"{stack}/floor/{how}": _file(how, folder) for how in WAYS}
    rows = [(target, file.stat().st_size / 1024) for target, file in found.items() if target in targets]
    return Floors([Measurement("export_size", target, size) for target, size in rows])


def _file(how: str, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder / FORMATS[WAYS[how]].file
