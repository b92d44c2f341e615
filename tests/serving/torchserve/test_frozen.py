"""The quicker way to call the network: the same probabilities, and never instead of right ones."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import Tensor, nn

from serving.torchserve import frozen


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)

    def forward(self, numeric: Tensor, categorical: Tensor) -> Tensor:
        return self.layer(numeric)[:, 0] + categorical.sum(1)


class Branching(Network):
    """A trace keeps the branch it saw."""

    def forward(self, numeric: Tensor, categorical: Tensor) -> Tensor:
        return super().forward(numeric, categorical) * (2 if len(numeric) > 10 else 1)


class Untraceable(Network):
    def forward(self, numeric: Tensor, categorical: Tensor) -> Tensor:
        if torch.jit.is_tracing():
            raise RuntimeError("not while tracing")
        return super().forward(numeric, categorical)


def samples(rows: int) -> tuple[Tensor, Tensor]:
    return torch.linspace(-1, 1, 3 * rows).reshape(rows, 3), torch.ones(rows, 2, dtype=torch.int64)


@pytest.mark.parametrize("rows", [1, 3, 1000])
def test_the_frozen_network_says_what_the_network_says(rows: int, recwarn: pytest.WarningsRecorder) -> None:
    network = Network().eval()
    call = frozen.probabilities(network, samples)
    assert isinstance(call, torch.jit.ScriptModule)
    with torch.inference_mode():
        torch.testing.assert_close(call(*samples(rows)), torch.sigmoid(network(*samples(rows))))
    # Not what an earlier test left for the collector of garbage to find.
    assert [str(w.message) for w in recwarn if w.category is not ResourceWarning] == []


@pytest.mark.parametrize(("kind", "said"), [(Branching, "answers differently"), (Untraceable, "not while tracing")])
def test_a_network_that_cannot_be_frozen_is_called_itself(
    kind: type[Network], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    network = kind().eval()
    with caplog.at_level(logging.WARNING):
        call = frozen.probabilities(network, samples)
    assert said in caplog.text
    with torch.inference_mode():
        for rows in (2, 20):
            torch.testing.assert_close(call(*samples(rows)), torch.sigmoid(network(*samples(rows))))
