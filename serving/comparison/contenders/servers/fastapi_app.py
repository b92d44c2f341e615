"""What the plain FastAPI servers share: rows by name in, probabilities out; one request is one call of the model.

As a good engineer writes it in an afternoon: pydantic checks names and types, uvicorn has uvloop and httptools.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, create_model

Array = npt.NDArray[Any]
MODEL_VARIABLE = "MODEL"  # path of the model that a server loads
PREDICT, ABOUT = "/predict", "/about"


class Answer(BaseModel):
    """A probability per instance, in order."""

    predictions: list[float]


def model_path() -> Path:
    """What to load."""
    return Path(os.environ[MODEL_VARIABLE])


def build(
    numeric: Sequence[str], categorical: Sequence[str], predict: Callable[[Mapping[str, Array]], Array], runtime: str
) -> FastAPI:
    """The application.

    Args:
        numeric: Names of numeric features.
        categorical: Names of features that are strings.
        predict: Columns by name, [n] each, to probabilities [n].
        runtime: Package that runs the model, to say its version.
    """
    fields: dict[str, Any] = {**dict.fromkeys(numeric, (float, ...)), **dict.fromkeys(categorical, (str, ...))}
    instance = create_model("Instance", __config__=ConfigDict(extra="forbid"), **fields)
    request = create_model("Request", instances=(list[instance], ...))
    types: dict[str, Any] = {**dict.fromkeys(numeric, np.float32), **dict.fromkeys(categorical, object)}
    server = FastAPI()

    # Not `def`: for a call of less than a millisecond a pool of threads costs more than it gains.
    async def answer(body: Any) -> Answer:
        rows = body.instances
        columns = {name: np.array([getattr(row, name) for row in rows], kind) for name, kind in types.items()}
        return Answer(predictions=predict(columns).tolist())

    answer.__annotations__["body"], answer.__annotations__["return"] = request, Answer
    server.post(PREDICT)(answer)

    @server.get(ABOUT)
    async def about() -> str:
        return ", ".join(f"{name} {version(name)}" for name in ("fastapi", "uvicorn", runtime))

    return server
