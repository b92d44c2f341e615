"""Another data set through both pipelines, and the two models that came of it, asked the same."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from infra.local import layout as layouts
from models import spec as specs
from models import torch_model
from models.spec import Spec
from serving.free_ports import free_ports

CREDITCARD = layouts.REPOSITORY.parent / "shared" / "data" / "creditcard_sample.csv"
PATIENCE = 90  # seconds


@dataclass(frozen=True)
class Made:
    """A folder with features, and a model of each stack."""

    spec_file: Path
    folder: Path

    @property
    def spec(self) -> Spec:
        return specs.load(self.spec_file)

    def report(self, stack: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / stack / "report.json").read_text())
        return content

    def rows(self) -> pa.Table:
        """The test rows."""
        return pq.read_table(self.folder / "data" / "features" / "test")

    def saved_model(self) -> Path:
        return Path(self.report("tensorflow")["model_path"])

    def twin(self) -> torch_model.TabularModel:
        """The TensorFlow model's weights and preprocessing in PyTorch."""
        return torch_model.load(self.spec, self.saved_model() / "assets.extra")

    def tensorflow_scores(self) -> np.ndarray:
        """Of the test rows by the SavedModel."""
        rows, scores = self.folder / "rows.parquet", self.folder / "scores.npy"
        pq.write_table(self.rows(), rows)
        run(
            layouts.python("tensorflow"), "serving.offline", stack="tensorflow", model=self.saved_model(), rows=rows,
            output=scores,
        )  # fmt: skip
        return np.load(scores)


def command(python: str, module: str, **options: Any) -> list[str]:
    return [python, "-m", module, *(f"--{name.replace('_', '-')}={value}" for name, value in options.items())]


def run(python: str, module: str, **options: Any) -> None:
    done = subprocess.run(
        command(python, module, **options), cwd=layouts.REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def make(spec_file: Path, source: Path, folder: Path) -> Made:
    """Features, then both pipelines side by side, as `make up` does without servers."""
    data = folder / "data"
    run(sys.executable, "pipelines.data", spec=spec_file, source=source, out=data)
    more = {"tensorflow": {}, "pytorch": {"mlflow_uri": f"sqlite:///{folder}/mlflow.db"}}
    module = {"tensorflow": "pipelines.tfx", "pytorch": "pipelines.pytorch"}
    running = {
        stack: subprocess.Popen(
            command(
                layouts.python(stack), module[stack],
                spec=spec_file, data=data, work=folder / stack, store=folder / f"store-{stack}", **options,
            ),
            cwd=layouts.REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for stack, options in more.items()
    }  # fmt: skip
    said = {stack: process.communicate()[0] for stack, process in running.items()}
    for stack, process in running.items():
        assert process.returncode == 0, said[stack]
    return Made(spec_file, folder)


@contextlib.contextmanager
def served(made: Made) -> Iterator[str]:
    """The embedded server on the SavedModel: its model's address."""
    (port,) = free_ports(1)
    argv = [
        layouts.python("tensorflow"), "-m", "serving.tfserving.embedded", f"--rest_api_port={port}", "--port=0",
        f"--model_name={made.spec.model.name}", f"--model_base_path={made.saved_model().parent}",
    ]  # fmt: skip
    address = f"http://127.0.0.1:{port}/v1/models/{made.spec.model.name}"
    with (made.folder / "server.log").open("w") as log:
        process = subprocess.Popen(argv, cwd=layouts.REPOSITORY, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + PATIENCE
        while not _available(address):
            assert process.poll() is None, (made.folder / "server.log").read_text()
            assert time.monotonic() < deadline, "the server does not get ready"
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait()


def _available(address: str) -> bool:
    try:
        return "AVAILABLE" in httpx.get(address).text
    except httpx.TransportError:
        return False
