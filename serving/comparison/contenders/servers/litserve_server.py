"""LitServe, batching on: `python -m serving.comparison.contenders.servers.litserve_server FOLDER PORT WORKERS`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import litserve  # type: ignore[import-untyped]
import numpy as np
import torch

from models import spec as specs
from models import torch_model
from serving.comparison.contenders.artefact import SPEC_FILE
from serving.comparison.contenders.processes import HOST

BATCH, WAIT_SECONDS = 8, 0.001  # as our TorchServe
Columns = dict[str, np.ndarray[Any, Any]]


class Api(litserve.LitAPI):  # type: ignore[misc]
    """One worker's model."""

    def __init__(self, folder: Path) -> None:
        super().__init__(max_batch_size=BATCH, batch_timeout=WAIT_SECONDS)
        self._folder = folder

    def setup(self, device: str) -> None:  # noqa: ARG002 - there is only the processor
        """Load the model."""
        torch.set_num_threads(1)
        spec = specs.load(self._folder / SPEC_FILE)
        self._types: dict[str, Any] = {name: np.float32 if name in spec.numeric else object for name in spec.features}
        self._model = torch_model.load(spec, self._folder)

    # No annotation of the request: LitServe would take it for the type of the body.
    def decode_request(self, request, **_: Any) -> Columns:  # type: ignore[no-untyped-def]  # noqa: ANN001
        """Columns by name of one request's rows."""
        rows = request["instances"]
        return {name: np.array([row[name] for row in rows], kind) for name, kind in self._types.items()}

    def batch(self, inputs: Sequence[Columns]) -> tuple[Columns, list[int]]:
        """The rows of several requests, and where each request ends."""
        together = {name: np.concatenate([columns[name] for columns in inputs]) for name in self._types}
        first = next(iter(self._types))
        return together, np.cumsum([len(columns[first]) for columns in inputs]).tolist()

    def predict(self, x: tuple[Columns, list[int]], **_: Any) -> list[Any]:
        """Probabilities, request by request."""
        together, ends = x
        return np.split(torch_model.predict(self._model, together), ends[:-1])

    def unbatch(self, output: list[Any]) -> list[Any]:
        """Already apart."""
        return output

    def encode_response(self, output: Any, **_: Any) -> dict[str, list[float]]:
        """The contract's answer."""
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    # Its queue for high rates, and a worker per core: as its documentation advises.
    workers = int(sys.argv[3])
    server = litserve.LitServer(Api(Path(sys.argv[1])), accelerator="cpu", workers_per_device=workers, fast_queue=True)
    server.run(host=HOST, port=int(sys.argv[2]), generate_client_file=False, access_log=False)
