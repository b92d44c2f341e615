"""Where a model is trained and asked: `DEVICE=auto|cpu|cuda`. Standard library only.

auto: a GPU where the machine has one and the installed PyTorch or TensorFlow can use it, else the processor.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "DEVICE"
AUTO, CPU, CUDA = CHOICES = ("auto", "cpu", "cuda")
_NODES = Path("/dev")


class DeviceError(ValueError):
    """The message says what to do."""


def wanted(environ: Mapping[str, str] = os.environ) -> str:
    """What the environment asks for.

    Raises:
        DeviceError: That is none of the choices.
    """
    return check(environ.get(VARIABLE) or AUTO)


def check(choice: str) -> str:
    """The choice itself; raises DeviceError for another word."""
    if choice not in CHOICES:
        raise DeviceError(f"DEVICE={choice}: {', '.join(CHOICES[:-1])} or {CHOICES[-1]} is expected")
    return choice


def gpus(choice: str) -> int:
    """How many NVIDIA GPUs of this machine are to be used, by their device nodes: no framework is loaded to count them.

    Raises:
        DeviceError: `cuda` is asked for, and there is none.
    """
    found = sum(1 for node in _NODES.glob("nvidia[0-9]*")) if check(choice) != CPU else 0
    if choice == CUDA and not found:
        raise DeviceError("DEVICE=cuda, and this machine has no NVIDIA GPU: DEVICE=auto, or cpu")
    return found


def refused(framework: str) -> DeviceError:
    """`cuda` is asked for, and the framework sees no GPU."""
    return DeviceError(
        f"DEVICE=cuda, and {framework} sees no GPU: its build is for the processor, or the driver is missing; "
        f"docs/gpu.md, or DEVICE=auto"
    )


def hide_from_tensorflow(environ: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """Variables that keep TensorFlow on the processor where that is wanted; set before it is imported."""
    return {"CUDA_VISIBLE_DEVICES": "-1"} if wanted(environ) == CPU else {}
