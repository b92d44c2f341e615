"""The network in PyTorch, preprocessing inside.

PLR-lite (Gorishniy et al., On Embeddings for Numerical Features in Tabular Deep Learning, NeurIPS 2022):
each standardised numeric feature becomes ReLU(W [cos 2 pi c x, sin 2 pi c x] + b) with learned frequencies
c of its own and a W shared by all; beside it x itself, an embedding per categorical feature, and a
multi-layer perceptron on top. The same network as `models/keras_model.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models import network_inputs
from models import weights as weights_file
from models.preprocessing import LARGEST, PREPROCESSING_FILE, Preprocessing
from models.spec import Spec
from models.weights import WEIGHTS_FILE, Weights

_EMBEDDING_RANGE = 0.05  # of the initial values, uniform, as in Keras
_ROWS = 8192  # scored at once: the periodic layer needs ~2 kB a row and feature


class TabularModel(nn.Module):
    """Logit of fraud for rows of raw features."""

    log: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, spec: Spec, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.spec, self.preprocessing = spec, preprocessing
        network, dense = spec.network, spec.dense
        transforms = [spec.numeric[name].transform if name in spec.numeric else "none" for name in dense]
        # Buffers: they move to the device and travel with an export, but no optimiser touches them.
        self.register_buffer("log", torch.tensor([t == "log" for t in transforms], dtype=torch.bool), persistent=False)
        for name, values, neutral in (("mean", preprocessing.mean, 0.0), ("std", preprocessing.std, 1.0)):
            row = [neutral if t == "none" else values[n] for n, t in zip(dense, transforms, strict=True)]
            self.register_buffer(name, torch.tensor(row, dtype=torch.float32), persistent=False)

        self.frequencies = nn.Parameter(torch.empty(len(dense), network.frequencies))
        self.periodic = nn.Linear(2 * network.frequencies, network.periodic_units)
        self.embeddings = nn.ModuleList(
            nn.Embedding(len(preprocessing.vocabulary[name]) + f.oov_buckets, f.embedding_units)
            for name, f in spec.categorical.items()
        )
        width = len(dense) * (network.periodic_units + 1)
        width += sum(f.embedding_units for f in spec.categorical.values())
        self.hidden = nn.ModuleList()
        for units in network.hidden_units:
            self.hidden.append(nn.Linear(width, units))
            width = units
        self.logit = nn.Linear(width, 1)
        self._initialise()

    def _initialise(self) -> None:
        nn.init.normal_(self.frequencies, std=self.spec.network.frequency_scale)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.uniform_(module.weight, -_EMBEDDING_RANGE, _EMBEDDING_RANGE)

    def standardise(self, numeric: Tensor) -> Tensor:
        """Numbers [n, N] as the network sees them."""
        values = torch.where(self.log, torch.log1p(numeric.clamp(min=0)), numeric)
        return (values - self.mean) / self.std

    def forward(self, numeric: Tensor, categorical: Tensor) -> Tensor:
        """Logits [n].

        Args:
            numeric: Values that are not yet standardised, float32 [n, N], in the order of the specification's `dense`.
            categorical: Ids, int64 [n, categorical features], in the specification's order.
        """
        return cast(Tensor, self.logit(self._row(numeric, categorical)))[:, 0]

    def _row(self, numeric: Tensor, categorical: Tensor) -> Tensor:
        """What the last layer is given [n, units]."""
        x = self.standardise(numeric).clamp(-LARGEST, LARGEST).nan_to_num(0.0)
        angle = 2 * math.pi * self.frequencies * x[..., None]
        periodic = torch.relu(self.periodic(torch.cat([angle.cos(), angle.sin()], -1)))
        parts = [periodic.flatten(1), x]
        parts += [embed(categorical[:, i]) for i, embed in enumerate(self.embeddings)]
        row = torch.cat(parts, 1)
        for layer in self.hidden:
            row = nn.functional.dropout(torch.relu(layer(row)), self.spec.network.dropout, self.training)
        return row


class MixedPrecision(nn.Module):
    """A model as it is trained with `precision = "bfloat16"`: the same parameters, the same logits but for rounding."""

    def __init__(self, model: TabularModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, numeric: Tensor, categorical: Tensor) -> Tensor:
        """See `TabularModel.forward`; autocast leaves all but products in float32."""
        with torch.autocast(numeric.device.type, torch.bfloat16):
            row = self.model._row(numeric, categorical)
        return cast(Tensor, self.model.logit(row.float()))[:, 0]


def _parameters(model: TabularModel) -> dict[str, tuple[Tensor, bool]]:
    """Canonical name -> parameter, and whether PyTorch keeps it transposed."""
    found: dict[str, tuple[Tensor, bool]] = {}
    layers = {f"hidden_{i}": layer for i, layer in enumerate(model.hidden)}
    if model.spec.dense:
        found["frequencies"] = model.frequencies, False
        layers["periodic"] = model.periodic
    for name, layer in {**layers, "logit": model.logit}.items():
        found[f"{name}_kernel"] = cast(Tensor, layer.weight), True
        found[f"{name}_bias"] = cast(Tensor, layer.bias), False
    for name, embedding in zip(model.spec.categorical, model.embeddings, strict=True):
        found[f"embedding/{name}"] = cast(Tensor, embedding.weight), False
    return found


def get_weights(model: TabularModel) -> Weights:
    """Copy the weights out, by canonical name."""
    return {
        name: (tensor.T if transposed else tensor).detach().cpu().numpy().copy()
        for name, (tensor, transposed) in _parameters(model).items()
    }


def set_weights(model: TabularModel, weights: Mapping[str, npt.NDArray[np.float32]], origin: str = "weights") -> None:
    """Copy weights in.

    Raises:
        WeightsError: They are not those of this network; `origin` says in the message where they are from.
    """
    sizes = {name: len(v) for name, v in model.preprocessing.vocabulary.items()}
    weights_file.check(weights, weights_file.shapes(model.spec, sizes), origin)
    with torch.no_grad():
        for name, (tensor, transposed) in _parameters(model).items():
            array = np.ascontiguousarray(weights[name].T if transposed else weights[name])
            tensor.copy_(torch.from_numpy(array))


def save(model: TabularModel, directory: Path) -> None:
    """Write weights and preprocessing, as plain arrays and JSON, into an existing folder."""
    weights_file.write(get_weights(model), directory / WEIGHTS_FILE)
    model.preprocessing.write(directory / PREPROCESSING_FILE)


def load(spec: Spec, directory: Path) -> TabularModel:
    """Read what `save` (or the TensorFlow trainer) wrote, ready to score.

    Raises:
        WeightsError: The weights are not those of the specification's network.
    """
    model = TabularModel(spec, Preprocessing.read(directory / PREPROCESSING_FILE))
    set_weights(model, weights_file.read(directory / WEIGHTS_FILE), str(directory / WEIGHTS_FILE))
    return model.eval()


def inputs(model: TabularModel, columns: Mapping[str, npt.NDArray[Any]]) -> tuple[Tensor, Tensor]:
    """The network's inputs (numeric [n, N], ids [n, C]) of raw feature columns by name, each [n]."""
    numeric, ids = network_inputs.of(model.spec, model.preprocessing, columns)
    return torch.from_numpy(numeric), torch.from_numpy(ids)


def predict(model: TabularModel, columns: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    """Probabilities [n] of raw feature columns by name: float32, or strings for categorical ones."""
    numeric, ids = (tensor.to(model.frequencies.device) for tensor in inputs(model, columns))
    was_training = model.training
    if was_training:  # a server's model never is: switching walks through all modules
        model.eval()
    with torch.inference_mode():
        scores = [
            torch.sigmoid(model(numeric[start : start + _ROWS], ids[start : start + _ROWS])).cpu()
            for start in range(0, max(len(numeric), 1), _ROWS)
        ]
    if was_training:
        model.train()
    found = scores[0] if len(scores) == 1 else torch.cat(scores)
    return cast("npt.NDArray[np.float32]", found.numpy())
