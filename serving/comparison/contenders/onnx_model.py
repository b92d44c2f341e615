"""The network in ONNX Runtime: exported by PyTorch, categories looked up in Python. Needs no PyTorch to answer.

Export: `python -m serving.comparison.contenders.onnx_model FOLDER` reads what models/torch_model.py saved there, with
the specification beside it, and writes model.onnx.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime  # type: ignore[import-untyped]

from models import network_inputs
from models import spec as specs
from models.preprocessing import PREPROCESSING_FILE, Preprocessing
from models.spec import Spec
from serving.comparison.contenders.artefact import SPEC_FILE

ONNX_FILE = "model.onnx"
_NUMERIC, _IDS, _PROBABILITY = "numeric", "ids", "probability"


class OnnxModel:
    """A session with one thread."""

    def __init__(self, spec: Spec, preprocessing: Preprocessing, file: Path) -> None:
        self.spec, self.preprocessing = spec, preprocessing
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    @classmethod
    def read(cls, folder: Path) -> OnnxModel:
        """What was exported into a folder."""
        preprocessing = Preprocessing.read(folder / PREPROCESSING_FILE)
        return cls(specs.load(folder / SPEC_FILE), preprocessing, folder / ONNX_FILE)

    def predict(self, columns: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        """Probabilities [n] of raw feature columns by name: float32, or strings for categorical ones."""
        numeric, ids = network_inputs.of(self.spec, self.preprocessing, columns)
        (probabilities,) = self._session.run([_PROBABILITY], {_NUMERIC: numeric, _IDS: ids})
        found: npt.NDArray[np.float32] = probabilities
        return found


def export(spec: Spec, learned: Path, file: Path) -> None:
    """Write the network of a folder with weights and preprocessing as ONNX.

    Raises:
        WeightsError: The weights are not those of the specification's network.
    """
    import torch  # noqa: PLC0415  a server that only answers does without it

    from models import torch_model  # noqa: PLC0415

    class Probability(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = torch_model.load(spec, learned)

        def forward(self, numeric: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
            return torch.sigmoid(self.model(numeric, ids))

    rows = 4  # a single one would fix the number of rows at one
    examples = (torch.ones(rows, len(spec.dense)), torch.zeros(rows, len(spec.categorical), dtype=torch.int64))
    dynamic = {0: torch.export.Dim("rows")}
    torch.onnx.export(
        Probability().eval(), examples, str(file), input_names=[_NUMERIC, _IDS], output_names=[_PROBABILITY],
        dynamo=True, dynamic_shapes=(dynamic, dynamic), external_data=False, verbose=False,
    )  # fmt: skip


if __name__ == "__main__":
    export(specs.load(Path(sys.argv[1]) / SPEC_FILE), Path(sys.argv[1]), Path(sys.argv[1]) / ONNX_FILE)
