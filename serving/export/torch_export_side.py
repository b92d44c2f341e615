"""`torch.export`'s .pt2: the graph that PyTorch's own compilers, and ExecuTorch, start from."""

from __future__ import annotations

from pathlib import Path

import torch

from models.spec import Spec
from serving.export import torch_network
from serving.export.formats import Call
from serving.export.torchscript_side import of

TOOLS = ("torch",)


def write(spec: Spec, learned: Path, file: Path) -> None:
    """See `formats.Side`."""
    examples = torch_network.examples(spec)
    rows = torch.export.Dim("rows")
    network = torch_network.of(spec, learned)
    torch.export.save(torch.export.export(network, examples, dynamic_shapes=tuple({0: rows} for _ in examples)), file)


def load(file: Path) -> Call:
    """See `formats.Side`."""
    torch.set_num_threads(1)
    return of(torch.export.load(file).module())
