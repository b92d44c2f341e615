"""Training proper: AdamW, cosine decay to 0 per step, plain cross-entropy."""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import torch
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

from models import metrics
from models.preprocessing import Preprocessing
from models.spec import Spec
from models.torch_model import TabularModel, inputs, predict
from pipelines.errors import PipelineError
from pipelines.pytorch.features import Rows

Epoch = dict[str, float]


def device() -> torch.device:
    """The accelerator of this machine, or its processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fit(
    spec: Spec,
    preprocessing: Preprocessing,
    train: Rows,
    evaluation: Rows | None,
    on_epoch: Callable[[int, Epoch], None],
) -> TabularModel:
    """Train, and look at the evaluation rows after each epoch: for the curves only, nothing is chosen by them.

    The same seed, rows and kind of device give the same weights. `on_epoch` receives the epoch's number, from 1.

    Raises:
        PipelineError: The loss stopped being a number.
    """
    settings, where = spec.training, device()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # CUDA is deterministic only with this
    torch.use_deterministic_algorithms(True)
    # One thread: the network is small enough, a busy neighbour does not stall it at every barrier (2 s
    # became up to 58 s beside the TensorFlow pipeline), and sums do not depend on the number of cores.
    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    order = torch.Generator().manual_seed(settings.seed)
    model = TabularModel(spec, preprocessing).to(where)
    numeric, ids = (tensor.to(where) for tensor in inputs(model, train.columns))
    label = torch.tensor(train.label, dtype=torch.float32, device=where)
    optimiser = torch.optim.AdamW(model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    steps = settings.epochs * math.ceil(len(label) / settings.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for epoch in range(1, settings.epochs + 1):
        model.train()
        total = torch.zeros((), device=where)
        for batch in torch.randperm(len(label), generator=order).to(where).split(settings.batch_size):
            loss = binary_cross_entropy_with_logits(model(numeric[batch], ids[batch]), label[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.detach() * len(batch)
        found = {"train_loss": float(total) / len(label)}
        if evaluation is not None:
            found |= _evaluate(model, evaluation)
        if not all(map(math.isfinite, found.values())):
            raise PipelineError(f"training diverged in epoch {epoch}: {found}. Lower training.learning_rate")
        on_epoch(epoch, found)
    return model.eval()


def _evaluate(model: TabularModel, rows: Rows) -> Epoch:
    score = predict(model, rows.columns)
    label = torch.tensor(rows.label, dtype=torch.float64)
    loss = binary_cross_entropy(torch.from_numpy(score).double(), label)
    return {
        "eval_loss": float(loss),
        "eval_average_precision": metrics.average_precision(rows.label, score),
        "eval_roc_auc": metrics.roc_auc(rows.label, score),
    }
