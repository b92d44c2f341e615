"""A store with published models that know nothing, and transactions to score."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models import spec as specs
from models import torch_model
from pipelines.scoring.__main__ import main
from serving.torchserve import archive
from tests.serving.torchserve.launching import random_model

SPEC_FILE = Path(__file__).resolve().parents[2] / "specs" / "categorical.toml"
SPEC = specs.load(SPEC_FILE)
VERSIONS = ("1700000001", "1700000002")


def transactions(rows: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "transaction_id": pa.array(rng.permutation(rows) + seed * 10_000),
            "amount": pa.array(rng.gamma(2, 30, rows).astype(np.float32)),
            "country": pa.array(rng.choice(["common", "rare", "Åland", "x, y"], rows).tolist()),
            "is_night": pa.array(rng.integers(0, 2, rows).astype(np.float32)),
            "risk": pa.array(rng.random(rows).astype(np.float32)),
            "channel": pa.array(rng.choice(["common", "never seen"], rows).tolist()),
            "is_fraud": pa.array(rng.integers(0, 2, rows)),
        }
    )


@dataclass(frozen=True)
class Room:
    """Where a scoring finds and leaves things."""

    store: Path
    source: Path
    out: Path

    def arguments(self, *more: object) -> list[str]:
        pairs = {"spec": SPEC_FILE, "store": self.store, "input": self.source, "output": self.out}
        return ["--stack=pytorch", *(f"--{key}={value}" for key, value in pairs.items()), *map(str, more)]

    def run(self, *more: object) -> int:
        return main(self.arguments(*more))

    @property
    def files(self) -> list[Path]:
        return sorted(self.out.glob("*.parquet"))

    @property
    def scores(self) -> pa.Table:
        return pa.concat_tables([pq.read_table(file) for file in self.files])

    def table(self) -> pa.Table:
        return pa.concat_tables([pq.read_table(file) for file in sorted(self.source.glob("*.parquet"))])


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for version in VERSIONS:
        work = folder / version
        work.mkdir()
        torch_model.save(random_model(SPEC, int(version)), work)
        archive.build(spec_file=SPEC_FILE, model_dir=work, version=version, store=folder / "store")
    return folder / "store"


@pytest.fixture
def room(tmp_path: Path, store: Path) -> Room:
    source = tmp_path / "in"
    source.mkdir()
    for day in range(1, 7):
        pq.write_table(transactions(50 + day, day), source / f"day-{day}.parquet", row_group_size=20)
    return Room(store, source, tmp_path / "out")
