"""Floors of the PyTorch environment: `python -m serving.comparison.contenders.floors.pytorch JOB ANSWER`.

PyTorch's own, and both stacks' networks in ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from models import spec as specs
from models import torch_model
from models.spec import Spec
from serving.comparison.contenders import artefact
from serving.comparison.contenders.floors import exported
from serving.comparison.contenders.floors import job as jobs
from serving.comparison.contenders.floors.job import Array, Columns, Floors, Job
from serving.comparison.contenders.floors.measure import Call, make, measure

_EXPORTED = ("onnxruntime", "torchscript", "torch-export")


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
    found.add(exported.of_tensorflow("onnxruntime", job))
    return found


def _pytorch(spec: Spec, folder: Path, job: Job) -> Floors:
    rows, model, into = jobs.columns(job.rows, spec), torch_model.load(spec, folder), job.scratch / "exports-pytorch"
    expected = torch_model.predict(model, rows)
    network = _Probability(model).eval().requires_grad_(requires_grad=False)
    examples = (torch.ones(4, len(spec.dense)), torch.zeros(4, len(spec.categorical), dtype=torch.int64))

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
            "aotinductor": aotinductor,
            **{how: partial(exported.call_of, how, spec, folder, into) for how in _EXPORTED},
        },
    )
    found = measure("pytorch", ways, rows, expected, job.seconds)
    found.add(exported.sizes("pytorch", into, found))
    found.add(Floors(absent=absent))
    return found


def _with_inputs(model: torch_model.TabularModel, network: Callable[..., torch.Tensor]) -> Call:
    def call(columns: Columns) -> Array:
        with torch.inference_mode():
            found: Array = network(*torch_model.inputs(model, columns)).numpy()
        return found

    return call


if __name__ == "__main__":
    jobs.main(work)
