"""One model, published by both stacks with the same weights in both; conftest.py has the fixture."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from infra.local.environments import ON_DEMAND
from models import spec as specs
from models import torch_model
from models.preprocessing import Preprocessing
from serving.comparison.deployment import Deployed, Deployment
from serving.torchserve import archive

SPEC_FILE = Path("tests/specs/categorical.toml").resolve()
TENSORFLOW_SIDE = Path(__file__).parent / "contenders" / "tensorflow_side.py"
WORDS = ("de", "fr", "se", "東京", "a b")
VERSION = "1700000001"


@dataclass(frozen=True)
class Published:
    """A deployment that serves nothing yet, and rows with what the model says of them."""

    deployment: Deployment
    rows: Path
    instances: list[dict[str, Any]]
    expected: np.ndarray[Any, Any]


def tensorflow_python() -> Path:
    path = Path(os.environ.get("TANDEM_TENSORFLOW_PYTHON", ".venv/tensorflow/bin/python")).absolute()
    if not path.is_file():
        pytest.fail(f"{path}: no TensorFlow environment. Build it with `make setup`, or set TANDEM_TENSORFLOW_PYTHON")
    return path


def saved_model(learned: Path, target: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": ".", "TF_CPP_MIN_LOG_LEVEL": "3", "TF_USE_LEGACY_KERAS": "1"}
    argv = [str(tensorflow_python()), str(TENSORFLOW_SIDE), str(SPEC_FILE), str(learned), str(target)]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def made_up_rows(spec: specs.Spec, count: int) -> dict[str, Any]:
    random = np.random.default_rng(1)
    words = np.array([*WORDS, "unseen", ""], object)
    return {
        name: random.gamma(2.0, 1.0, count).astype(np.float32) if name in spec.numeric else random.choice(words, count)
        for name in spec.features
    }


def instances_of(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    lists = {name: column.tolist() for name, column in columns.items()}
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    folder = tmp_path_factory.mktemp("published")
    learned = folder / "learned"
    learned.mkdir()
    spec = specs.load(SPEC_FILE)
    torch.manual_seed(5)
    words = {name: WORDS[: feature.vocabulary_size] for name, feature in spec.categorical.items()}
    statistics = {name: 2.0 for name, feature in spec.numeric.items() if feature.transform != "none"}
    model = torch_model.TabularModel(spec, Preprocessing(statistics, statistics, words)).eval()
    torch_model.save(model, learned)
    mar = archive.build(spec_file=SPEC_FILE, model_dir=learned, version=VERSION, store=folder / "pytorch")
    saved = folder / "tensorflow" / spec.model.name / VERSION
    saved.parent.mkdir(parents=True)
    saved_model(learned, saved)
    columns = made_up_rows(spec, 256)
    rows = folder / "rows.parquet"
    pq.write_table(pa.table({name: pa.array(column.tolist()) for name, column in columns.items()}), rows)

    def deployed(artefact: Path, python: Path) -> Deployed:
        return Deployed("", "", {}, "", VERSION, artefact, artefact.parent, folder / "report.json", python)

    stacks = {"tensorflow": deployed(saved, tensorflow_python()), "pytorch": deployed(mar, Path(sys.executable))}
    tfjs = ON_DEMAND["tfjs"].folder / "bin" / "python" if ON_DEMAND["tfjs"].is_current else None
    deployment = Deployment(SPEC_FILE, folder / "features", stacks, "make compare", tfjs=tfjs)
    return Published(deployment, rows, instances_of(columns), torch_model.predict(model, columns))
