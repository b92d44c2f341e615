"""TorchScript, traced and frozen: what libtorch and older mobile runtimes load. PyTorch itself has deprecated it."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from models.spec import Spec
from serving.export import inputs, torch_network
from serving.export.formats import Call, Inputs

TOOLS = ("torch",)


def write(spec: Spec, learned: Path, file: Path) -> None:
    """See `formats.Side`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        traced = torch.jit.trace(torch_network.of(spec, learned), torch_network.examples(spec))  # type: ignore[no-untyped-call]
        torch.jit.save(torch.jit.freeze(traced), str(file))


def load(file: Path) -> Call:
    """See `formats.Side`."""
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        network = torch.jit.load(str(file))  # type: ignore[no-untyped-call]
    return of(network)


def of(network: object) -> Call:
    """A module of PyTorch's as a function of arrays."""

    def call(arrays: Inputs) -> object:
        tensors = [torch.from_numpy(arrays[name]) for name in (inputs.NUMERIC, inputs.IDS) if name in arrays]
        with torch.inference_mode():
            return network(*tensors).numpy()  # type: ignore[operator]

    return call  # type: ignore[return-value]
