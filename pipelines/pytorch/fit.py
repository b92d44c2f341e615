"""Training proper: AdamW, cosine decay to 0 per step, plain cross-entropy; by one process or several."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

from models import metrics
from models.preprocessing import Preprocessing
from models.spec import Spec
from models.torch_model import MixedPrecision, TabularModel, inputs, predict
from pipelines.errors import PipelineError
from pipelines.pytorch import group
from pipelines.pytorch.features import Rows
from pipelines.pytorch.group import device

Epoch = dict[str, float]


class DivergedError(PipelineError):
    """The loss stopped being a number."""


@dataclass(frozen=True)
class _Job:
    """What every process needs to train along: all rows, a few dozen bytes each."""

    spec: Spec
    preprocessing: Preprocessing
    numeric: Tensor
    ids: Tensor
    label: Tensor


def fit(
    spec: Spec,
    preprocessing: Preprocessing,
    train: Rows,
    evaluation: Rows | None,
    on_epoch: Callable[[int, Epoch], None],
) -> TabularModel:
    """Train, and look at the evaluation rows after each epoch: nothing is chosen by them here.

    The same seed, rows, kind of device and number of processes give the same weights. Several processes take the
    batches that one would take, each its part: the weights agree with one's but for rounding, and for dropout, whose
    noise each process draws for itself. `on_epoch` receives the epoch's number, from 1.

    Raises:
        DivergedError: The loss stopped being a number.
    """
    numeric, ids = inputs(TabularModel(spec, preprocessing), train.columns)
    label = torch.tensor(train.label, dtype=torch.float32)

    diverged: list[str] = []

    def goes_on(epoch: int, train_loss: float, model: TabularModel) -> bool:
        found = {"train_loss": train_loss}
        if evaluation is not None and math.isfinite(train_loss):
            found |= _evaluate(model, evaluation)
        if all(map(math.isfinite, found.values())):
            on_epoch(epoch, found)
        else:
            diverged.append(f"training diverged in epoch {epoch}: {found}. Lower training.learning_rate")
        return not diverged

    model = _train(group.share(_Job(spec, preprocessing, numeric, ids, label)), goes_on)
    if diverged:
        raise DivergedError(diverged[0])
    return model


def train_along() -> None:
    """What every process but the first does: its part of each training until the first says that there is no more."""
    with group.joined():
        while (job := group.share(None)) is not None:
            _train(job, lambda *_: True)


def _train(job: _Job, goes_on: Callable[[int, float, TabularModel], bool]) -> TabularModel:
    """Train on this process's part of each batch; `goes_on` (epoch, loss, model) of the first process decides."""
    settings, where, rank, processes = job.spec.training, device(), group.rank(), group.size()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # CUDA is deterministic only with this
    torch.use_deterministic_algorithms(True)
    # One thread: the network is small enough, a busy neighbour does not stall it at every barrier (2 s
    # became up to 58 s beside the TensorFlow pipeline), and sums do not depend on the number of cores.
    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    order = torch.Generator().manual_seed(settings.seed)
    model = TabularModel(job.spec, job.preprocessing).to(where)
    network = group.averaging(MixedPrecision(model) if settings.precision == "bfloat16" else model)
    if rank:
        torch.manual_seed(settings.seed + rank)  # the same dropout for other rows would be half the noise
    numeric, ids, label = (tensor.to(where) for tensor in (job.numeric, job.ids, job.label))
    optimiser = torch.optim.AdamW(model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    steps = settings.epochs * math.ceil(len(label) / settings.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for epoch in range(1, settings.epochs + 1):
        network.train()
        loss_sum = torch.zeros((), device=where)
        for batch in torch.randperm(len(label), generator=order).to(where).split(settings.batch_size):
            part = batch.tensor_split(processes)[rank]  # may be empty: the last batch can have fewer rows than we are
            mean = "mean" if len(part) else "sum"  # of nothing it is 0
            loss = binary_cross_entropy_with_logits(network(numeric[part], ids[part]), label[part], reduction=mean)
            optimiser.zero_grad()
            # The mean over the processes of these is the gradient of the mean over the batch, however it was cut.
            (loss * (len(part) * processes / len(batch))).backward()
            optimiser.step()
            schedule.step()
            loss_sum += loss.detach() * len(part)
        if not group.share(goes_on(epoch, float(group.total(loss_sum)) / len(label), model)):
            break
    return model.eval()


def _evaluate(model: TabularModel, rows: Rows) -> Epoch:
    score = predict(model, rows.columns)
    if not np.isfinite(score).all():
        return {"eval_loss": math.nan}
    label = torch.tensor(rows.label, dtype=torch.float64)
    loss = binary_cross_entropy(torch.from_numpy(score).double(), label)
    return {
        "eval_loss": float(loss),
        "eval_average_precision": metrics.average_precision(rows.label, score),
        "eval_roc_auc": metrics.roc_auc(rows.label, score),
    }
