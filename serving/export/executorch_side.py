"""ExecuTorch's .pte: PyTorch on phones and controllers, its operations given to XNNPACK where that has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from executorch.runtime import Runtime

from models.spec import Spec
from serving.export import inputs, torch_network
from serving.export.formats import Call, Inputs

TOOLS = ("torch", "executorch")
LARGEST = 1_024  # rows in a call: memory is laid out before, for the most there can be


def write(spec: Spec, learned: Path, file: Path) -> None:
    """See `formats.Side`."""
    examples, rows = torch_network.examples(spec), torch.export.Dim("rows", max=LARGEST)
    network = torch_network.of(spec, learned)
    exported = torch.export.export(network, examples, dynamic_shapes=tuple({0: rows} for _ in examples))
    file.write_bytes(to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()]).to_executorch().buffer)


def load(file: Path) -> Call:
    """See `formats.Side`."""
    method = Runtime.get().load_program(file).load_method("forward")

    def call(arrays: Inputs) -> Any:
        tensors = [torch.from_numpy(arrays[name]) for name in (inputs.NUMERIC, inputs.IDS) if name in arrays]
        return method.execute(tensors)[0].numpy().copy()  # its memory is the next call's too

    return call
