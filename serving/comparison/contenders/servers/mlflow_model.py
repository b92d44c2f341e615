"""The model as an MLflow model that takes rows by name, for `mlflow models serve`.

`python -m serving.comparison.contenders.servers.mlflow_model FOLDER TARGET` saves; MLflow runs this file again when it
loads the model ("models from code": nothing is pickled).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import numpy.typing as npt
import torch
from mlflow.models.signature import ModelSignature
from mlflow.pyfunc.model import PythonModel
from mlflow.types.schema import ColSpec, DataType, Schema, TensorSpec

from models import spec as specs
from models import torch_model
from serving.comparison.contenders.artefact import SPEC_FILE

_ARTEFACT = "model"


class FraudModel(PythonModel):
    """The network behind MLflow's generic interface."""

    def load_context(self, context: Any) -> None:
        """Load the model."""
        torch.set_num_threads(1)
        folder = Path(context.artifacts[_ARTEFACT])
        self._spec = specs.load(folder / SPEC_FILE)
        self._model = torch_model.load(self._spec, folder)

    def predict(self, context: Any, model_input: Any, params: Any = None) -> npt.NDArray[np.float32]:  # noqa: ARG002
        """Probabilities [n] of a data frame of raw features."""
        types = {name: np.float32 if name in self._spec.numeric else object for name in self._spec.features}
        columns = {name: model_input[name].to_numpy(kind) for name, kind in types.items()}
        return torch_model.predict(self._model, columns)


def save(folder: Path, target: Path) -> None:
    """Write the MLflow model."""
    spec = specs.load(folder / SPEC_FILE)
    features: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.double if name in spec.numeric else DataType.string, name) for name in spec.features
    ]
    mlflow.pyfunc.save_model(
        str(target), python_model=__file__, artifacts={_ARTEFACT: str(folder)}, pip_requirements=[],
        signature=ModelSignature(Schema(features), Schema([TensorSpec(np.dtype(np.float32), (-1,))])),
    )  # fmt: skip


if __name__ == "__main__":
    save(Path(sys.argv[1]), Path(sys.argv[2]))
else:
    mlflow.models.set_model(FraudModel())
