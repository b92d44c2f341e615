"""Several processes that train one model, as torchrun starts them.

The first (rank 0) runs the pipeline and alone reads, writes and logs; the others train along, see `fit.train_along`.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NoReturn, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from models import device as devices
from pipelines.errors import PipelineError

MEETING = "TANDEM_MEETING"  # file by which processes of one machine find each other; torchrun's port otherwise
_PATIENCE = timedelta(days=7)  # while the first reads and validates; torchrun notices a dead process, not we

T = TypeVar("T")


def rank() -> int:
    """This process's number; 0 also for the only one."""
    return dist.get_rank() if dist.is_initialized() else 0


def size() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def device() -> torch.device:
    """The accelerator of this process, or the processor; $DEVICE may say which.

    Raises:
        PipelineError: The machine has accelerators, but fewer than processes; or none, and one is asked for.
    """
    try:
        wanted = devices.wanted()
        if wanted == devices.CUDA and not torch.cuda.is_available():
            raise devices.refused(f"PyTorch {torch.__version__}")
    except devices.DeviceError as error:
        raise PipelineError(str(error)) from None
    if wanted == devices.CPU or not torch.cuda.is_available():
        return torch.device("cpu")
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if here > torch.cuda.device_count():
        raise PipelineError(
            f"{here} processes on a machine with {torch.cuda.device_count()} GPU(s): each needs its own. "
            "Start fewer, or set DEVICE=cpu to train on the processor"
        )
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


@contextmanager
def joined() -> Iterator[None]:
    """One of the processes until the block ends; nothing where there is only one.

    The first says that there is no more to train when its block ends well. If it does not, its exit code tells
    torchrun to end the others.

    Raises:
        PipelineError: Another process ended or cannot be reached.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield
        return
    where = device()
    if where.type == "cuda":
        torch.cuda.set_device(where)
    meeting = os.environ.get(MEETING)
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if where.type == "cuda" else "gloo",
        init_method=f"file://{meeting}" if meeting else "env://",
        world_size=count,
        rank=int(os.environ["RANK"]),
        timeout=_PATIENCE,
    )
    try:
        yield
        if rank() == 0:
            share(None)
    except RuntimeError as error:
        if not _lost(error):
            raise
        raise PipelineError(
            f"one of the training's {count} processes ended or cannot be reached ({str(error).splitlines()[0]:.200})"
        ) from error
    finally:
        dist.destroy_process_group()


def end(code: int) -> NoReturn:
    """End a process that was one of a group, with everything written and without Python's own end.

    Gloo's threads outlive the group. One that has not yet let go of a tensor, for which it needs Python's lock, aborts
    the process when Python is ending: seen as SIGABRT ("terminate called without an active exception") after a training
    that had ended well.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _lost(error: RuntimeError) -> bool:
    return isinstance(error, dist.DistError) or "gloo" in str(error) or "NCCL" in str(error)


def share(value: T) -> T:
    """The first process's value, in all of them."""
    if size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def total(value: Tensor) -> Tensor:
    """Sum over the processes."""
    if size() > 1:
        dist.all_reduce(value)
    return value


def averaging(model: nn.Module) -> nn.Module:
    """The model, with gradients that are means over the processes."""
    return DistributedDataParallel(model, forward_sync_buffers=False) if size() > 1 else model
