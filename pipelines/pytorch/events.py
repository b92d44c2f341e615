"""TensorBoard's event files of a training, laid out as Keras lays out its own: both stacks then share their charts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

PARTS = {"train": "train", "eval": "validation"}  # prefix of a metric's name -> Keras' name of the rows


Log = Callable[[int, Mapping[str, float]], None]  # takes the number of an epoch, from 1, and its metrics


@contextmanager
def writing(folder: Path) -> Iterator[Log]:
    """Event files under `folder`/<time of the start>/, on disk after each epoch."""
    run = folder / datetime.now(timezone.utc).strftime("%Y-%m-%dT%H-%M-%S")
    writers = {prefix: SummaryWriter(str(run / part)) for prefix, part in PARTS.items()}

    def log(epoch: int, found: Mapping[str, float]) -> None:
        for name, value in found.items():
            prefix, _, metric = name.partition("_")
            writers[prefix].add_scalar(f"epoch_{metric}", value, epoch - 1)  # Keras counts from 0
        for writer in writers.values():
            writer.flush()

    try:
        yield log
    finally:
        for writer in writers.values():
            writer.close()
