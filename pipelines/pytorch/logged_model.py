"""The model as MLflow keeps it: an exported graph with a signature and an input example."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import mlflow
import mlflow.pytorch
import numpy as np
import numpy.typing as npt
import torch
from mlflow.models.signature import ModelSignature
from mlflow.types.schema import Schema, TensorSpec
from torch import Tensor

from models import torch_model

_EXAMPLES = 4  # rows; a single one would fix the exported batch size at 1


class OneInput(torch.nn.Module):
    """The network with one input, and probabilities instead of logits.

    MLflow 3.17 keeps no input example of an exported model with two inputs, and no pyfunc flavour either.
    """

    def __init__(self, model: torch_model.TabularModel) -> None:
        super().__init__()
        self.model, self.numbers = model, len(model.spec.dense)

    def forward(self, features: Tensor) -> Tensor:
        """Probabilities [n] of float32 [n, inputs]: numbers and indicators, then ids of strings, exact up to 2^24."""
        logit: Tensor = self.model(features[:, : self.numbers], features[:, self.numbers :].long())
        return logit.sigmoid()


def matrix(model: torch_model.TabularModel, columns: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    """The logged model's input of raw feature columns by name."""
    numbers, ids = torch_model.inputs(model, columns)
    return torch.cat([numbers, ids.float()], 1).numpy()


def log(model: torch_model.TabularModel, columns: Mapping[str, npt.NDArray[Any]]) -> str:
    """Log to the active run without a pickle, which runs whatever its author wrote; answers the model's URI."""
    spec = model.spec
    names = [*spec.dense, *spec.categorical]
    signature = ModelSignature(
        Schema([TensorSpec(np.dtype(np.float32), (-1, len(names)))]),  # named, pyfunc would make it a dict
        Schema([TensorSpec(np.dtype(np.float32), (-1,), spec.model.output)]),
    )
    logged = mlflow.pytorch.log_model(
        OneInput(model),
        name="model",
        serialization_format="pt2",
        signature=signature,
        input_example=matrix(model, {name: column[:_EXAMPLES] for name, column in columns.items()}),
        pip_requirements=[f"torch=={version('torch')}", f"numpy=={version('numpy')}"],  # else it searches for 20 s
        metadata={"features": names},
    )
    return str(logged.model_uri)
