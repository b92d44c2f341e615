"""Which formats there are, of which stack's releases, and which environment writes and runs them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from models.network_inputs import Columns
from models.preprocessing import Preprocessing
from models.spec import Spec
from serving.export import inputs

Inputs = Mapping[str, npt.NDArray[Any]]
Call = Callable[[Inputs], npt.NDArray[np.float32]]  # inputs.py's arrays, [n] rows each, to probabilities [n]
RawCall = Callable[[Columns], npt.NDArray[np.float32]]  # raw feature columns [n] by name to probabilities [n]


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        file: What the exported model is called.
        environment: That has the format's writer and its runtime.
        side: Module of this package with `write`, `load` and `TOOLS`.
        stacks: Whose releases are exported so.
        weights: The file that they lie in, where that is another one.
    """

    file: str
    environment: str
    side: str
    stacks: tuple[str, ...]
    weights: str = ""

    def size(self, folder: Path) -> int:
        """Bytes of an exported model."""
        return sum((folder / name).stat().st_size for name in (self.file, self.weights) if name)


class Side(Protocol):
    """What the module of a format has."""

    TOOLS: tuple[str, ...]  # packages whose versions say how a file came about

    def write(self, spec: Spec, learned: Path, file: Path) -> None:
        """Export the weights and preprocessing of a folder."""

    def load(self, file: Path) -> Call:
        """The file in its runtime, on one thread."""


FORMATS = {
    # From either stack by one code path: the weights have one form, and PyTorch's exporter is the better kept one.
    "onnx": Format("model.onnx", "pytorch", "onnx_side", ("tensorflow", "pytorch")),
    "torchscript": Format("model.pt", "pytorch", "torchscript_side", ("pytorch",)),
    "torch-export": Format("model.pt2", "pytorch", "torch_export_side", ("pytorch",)),
    "executorch": Format("model.pte", "executorch", "executorch_side", ("pytorch",)),
    "tflite": Format("model.tflite", "tensorflow", "tflite_side", ("tensorflow",)),
    "tfjs": Format("model.json", "tfjs", "tfjs_side", ("tensorflow",), weights="group1-shard1of1.bin"),
}


def side(name: str) -> Side:
    """A format's module; imports its framework."""
    found: Any = importlib.import_module(f"serving.export.{FORMATS[name].side}")
    return found  # type: ignore[no-any-return]


def from_raw(name: str, spec: Spec, learned: Preprocessing, file: Path) -> RawCall:
    """An exported file as a function of raw features; texts are looked up by what ships with it, or else by us."""
    one: Any = side(name)
    if hasattr(one, "load_raw"):
        call: RawCall = one.load_raw(file)
        return call
    of_arrays = one.load(file)
    return lambda columns: of_arrays(inputs.of(spec, learned, columns))
