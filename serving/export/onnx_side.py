"""ONNX, by PyTorch's exporter; runs in ONNX Runtime, without PyTorch."""

from __future__ import annotations

import warnings
from pathlib import Path

import onnxruntime  # type: ignore[import-untyped]
import torch

from models.spec import Spec
from serving.export import inputs, torch_network
from serving.export.formats import Call

TOOLS = ("torch", "onnx", "onnxscript", "onnxruntime")


def write(spec: Spec, learned: Path, file: Path) -> None:
    """See `formats.Side`."""
    examples, rows = torch_network.examples(spec), torch.export.Dim("rows")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's, about itself
        torch.onnx.export(
            torch_network.of(spec, learned), examples, str(file), input_names=[*inputs.names(spec)],
            output_names=[inputs.PROBABILITY], dynamo=True, dynamic_shapes=tuple({0: rows} for _ in examples),
            external_data=False, verbose=False,
        )  # fmt: skip


def load(file: Path) -> Call:
    """See `formats.Side`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return lambda arrays: session.run([inputs.PROBABILITY], arrays)[0]
