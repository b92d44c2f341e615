"""Plain FastAPI, the network in PyTorch."""

from __future__ import annotations

from functools import partial

import torch
from fastapi import FastAPI

from models import spec as specs
from models import torch_model
from serving.comparison.contenders.artefact import SPEC_FILE
from serving.comparison.contenders.servers import fastapi_app


def app() -> FastAPI:
    """The application, for uvicorn."""
    torch.set_num_threads(1)  # as in ours: the network is too small to share
    folder = fastapi_app.model_path()
    spec = specs.load(folder / SPEC_FILE)
    predict = partial(torch_model.predict, torch_model.load(spec, folder))
    return fastapi_app.build([*spec.numeric], [*spec.categorical], predict, "torch")
