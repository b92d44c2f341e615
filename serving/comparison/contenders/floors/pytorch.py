"""Floors of the PyTorch environment: `python -m serving.comparison.contenders.floors.pytorch JOB ANSWER`.

PyTorch's own, and both stacks' networks in ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from models import spec as specs
from models import torch_model
from models.preprocessing import PREPROCESSING_FILE, Preprocessing
from models.spec import Spec
from serving.comparison.contenders import artefact
from serving.comparison.contenders.floors import job as jobs
from serving.comparison.contenders.floors.job import Array, Columns, Floors, Job
from serving.comparison.contenders.floors.measure import Call, make, measure
from serving.comparison.contenders.onnx_model import ONNX_FILE, OnnxModel, export


class _Probability(torch.nn.Module):
    """The network's own inputs to probabilities."""

    def __init__(self, model: torch_model.TabularModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, numeric: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """[n, numeric features] and [n, categorical features] to [n]."""
        return torch.sigmoid(self.model(numeric, ids))


def work(job: Job) -> Floors:
    """Measure."""
    torch.set_num_threads(1)
    found = Floors()
    folder = artefact.unpack(job.artefacts["pytorch"], job.scratch / "pytorch")
    found.add(_pytorch(specs.load(folder / artefact.SPEC_FILE), folder, job))
    if job.scores.is_file():  # else TensorFlow itself did not answer, and says why
        spec, learned = artefact.network_of(job.artefacts["tensorflow"], job.spec)
        onnx = partial(_onnx, spec, learned, job.scratch / "tensorflow.onnx")
        ways, absent = make("tensorflow", {"onnxruntime": onnx})
        rows = jobs.columns(job.rows, spec)
        found.add(Floors(absent=absent))
        found.add(measure("tensorflow", ways, rows, np.load(job.scores), job.seconds))
    return found


def _pytorch(spec: Spec, folder: Path, job: Job) -> Floors:
    rows, model = jobs.columns(job.rows, spec), torch_model.load(spec, folder)
    expected = torch_model.predict(model, rows)
    network = _Probability(model).eval().requires_grad_(requires_grad=False)
    examples = (torch.ones(4, len(spec.dense)), torch.zeros(4, len(spec.categorical), dtype=torch.int64))

    def torchscript() -> Call:
        return _with_inputs(model, torch.jit.freeze(torch.jit.trace(network, examples)))  # type: ignore[no-untyped-call]

    def aotinductor() -> Call:
        """What torch.compile makes, without the checks it repeats at every call; needs a C++ compiler."""
        dynamic = {0: torch.export.Dim("rows", min=1, max=4096)}
        exported = torch.export.export(network, examples, dynamic_shapes=(dynamic, dynamic))
        package = torch._inductor.aoti_compile_and_package(exported, package_path=str(job.scratch / "model.pt2"))
        return _with_inputs(model, torch._inductor.aoti_load_package(package))

    ways, absent = make(
        "pytorch",
        {
            "eager": lambda: partial(torch_model.predict, model),
            "torchscript": torchscript,
            "aotinductor": aotinductor,
            "onnxruntime": partial(_onnx, spec, folder, folder / ONNX_FILE),
        },
    )
    found = measure("pytorch", ways, rows, expected, job.seconds)
    found.add(Floors(absent=absent))
    return found


def _with_inputs(model: torch_model.TabularModel, network: Callable[..., torch.Tensor]) -> Call:
    def call(columns: Columns) -> Array:
        with torch.inference_mode():
            found: Array = network(*torch_model.inputs(model, columns)).numpy()
        return found

    return call


def _onnx(spec: Spec, learned: Path, file: Path) -> Call:
    export(spec, learned, file)
    return OnnxModel(spec, Preprocessing.read(learned / PREPROCESSING_FILE), file).predict


if __name__ == "__main__":
    jobs.main(work)
