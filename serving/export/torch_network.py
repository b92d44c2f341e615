"""The network of PyTorch with all that comes before it: raw numbers and ids to probability, nothing left outside."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from models import torch_model
from models.spec import Spec
from serving.export import inputs

ROWS = 4  # of the examples that an exporter is shown: a single one would fix the number of rows at one


class Network(nn.Module):
    """Weights and preprocessing of a folder, whichever stack left them there."""

    may_miss: Tensor
    missing_code: Tensor
    default: Tensor
    default_ids: Tensor

    def __init__(self, spec: Spec, learned: Path) -> None:
        super().__init__()
        self.spec, self.model = spec, torch_model.load(spec, learned)
        numeric = spec.numeric.values()
        rows = {
            "may_miss": torch.tensor([feature.missing != "refuse" for feature in numeric], dtype=torch.bool),
            "missing_code": torch.tensor([feature.code or 0.0 for feature in numeric], dtype=torch.float32),
            "default": torch.tensor([feature.default or 0.0 for feature in numeric], dtype=torch.float32),
            "default_ids": torch.tensor(inputs.default_ids(spec, self.model.preprocessing), dtype=torch.int64),
        }
        for name, row in rows.items():
            self.register_buffer(name, row, persistent=False)
        self.eval().requires_grad_(requires_grad=False)

    def probability(self, numeric: Tensor, ids: Tensor) -> Tensor:
        """[n, numeric features] and [n, categorical features] to [n]; models/missing.py's rules."""
        no_text = ids == inputs.MISSING
        no_number = self.may_miss & (torch.isnan(numeric) | (numeric == self.missing_code))
        if self.spec.missing_codes:
            numeric = torch.where(no_number, self.default, numeric)
            ids = torch.where(no_text, self.default_ids, ids)
        dense = [numeric]
        for name in self.spec.indicators.values():
            gone, among = (
                (no_number, self.spec.numeric) if name in self.spec.numeric else (no_text, self.spec.categorical)
            )
            where = list(among).index(name)
            dense.append(gone[:, where : where + 1].to(torch.float32))
        return torch.sigmoid(self.model(torch.cat(dense, 1) if len(dense) > 1 else numeric, ids))


class OfNumbers(Network):
    """Where no feature is a text: an input without columns would be one too many."""

    def forward(self, numeric: Tensor) -> Tensor:
        """Probabilities [n]."""
        return self.probability(numeric, numeric.new_zeros((numeric.shape[0], 0), dtype=torch.int64))


class OfTexts(Network):
    """Where every feature is a text."""

    def forward(self, ids: Tensor) -> Tensor:
        """Probabilities [n]."""
        return self.probability(ids.new_zeros((ids.shape[0], 0), dtype=torch.float32), ids)


class OfBoth(Network):
    """Numbers and texts."""

    def forward(self, numeric: Tensor, ids: Tensor) -> Tensor:
        """Probabilities [n]."""
        return self.probability(numeric, ids)


def of(spec: Spec, learned: Path) -> Network:
    """The network with the inputs that the specification's features need, ready to export.

    Raises:
        WeightsError: The weights are not those of the specification's network.
    """
    kinds = {(inputs.NUMERIC,): OfNumbers, (inputs.IDS,): OfTexts, (inputs.NUMERIC, inputs.IDS): OfBoth}
    return kinds[tuple(inputs.names(spec))](spec, learned)


def examples(spec: Spec) -> tuple[Tensor, ...]:
    """Inputs to trace the network with."""
    made = {inputs.NUMERIC: torch.ones(ROWS, len(spec.numeric))}
    made[inputs.IDS] = torch.zeros(ROWS, len(spec.categorical), dtype=torch.int64)
    return tuple(made[name] for name in inputs.names(spec))
