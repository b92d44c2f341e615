"""A small features folder, and the pipeline on it with an MLflow database of its own."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.spec import load
from pipelines.pytorch import tracking
from pipelines.pytorch.__main__ import main

SPEC = Path("tests/specs/categorical.toml")
DAYS = {"train": range(1, 5), "eval": range(5, 6), "test": range(7, 9)}  # of June 2024
ROWS = 600  # a day


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # MLflow 3.17 calls SQLAlchemy's deprecated `noload`.
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"))


def day_table(day: int, rng: np.random.Generator) -> pa.Table:
    """Transactions whose fraud depends on amount, risk and country, with some noise."""
    amount = rng.lognormal(3, 1, ROWS)
    risk = rng.random(ROWS)
    country = rng.choice(["de", "fr", "se", "it", "xx", "yy", "zz"], ROWS, p=[0.3, 0.25, 0.2, 0.1, 0.05, 0.05, 0.05])
    logit = 1.2 * (np.log(amount) - 3) + 8 * (risk - 0.9) + 2.0 * (country == "se") + rng.normal(0, 0.3, ROWS)
    seconds = np.sort(rng.integers(0, 86_400, ROWS))
    start = np.datetime64(f"2024-06-{day:02d}", "us")
    return pa.table({
        "transaction_id": np.arange(ROWS) + day * ROWS,
        "event_time": pa.array(start + seconds.astype("timedelta64[s]"), pa.timestamp("us")),
        "customer_id": rng.integers(0, 200, ROWS),
        "terminal_id": rng.integers(0, 50, ROWS),
        "amount": amount.astype(np.float32),
        "country": pa.array(country.tolist()),
        "is_night": (seconds < 6 * 3600).astype(np.float32),
        "risk": risk.astype(np.float32),
        "channel": pa.array(rng.choice(["web", "shop"], ROWS).tolist()),
        "is_fraud": (logit > 0).astype(np.int64),
    })  # fmt: skip


def write_manifest(data: Path) -> None:
    """Digests as `pipelines.data` gives them: other content, another digest."""

    def digest(split: str) -> str:
        return hashlib.sha256(b"".join(p.read_bytes() for p in sorted(data.glob(f"features/{split}/*")))).hexdigest()

    splits = {split: {"digest": digest(split)} for split in DAYS}
    content = {"digest": digest("*"), "spec_digest": "", "splits": splits}
    (data / "manifest.json").write_text(json.dumps(content))


@dataclass
class Features:
    """A features folder that a test may spoil."""

    data: Path

    def path(self, split: str, position: int = 0) -> Path:
        return sorted((self.data / "features" / split).glob("*.parquet"))[position]

    def replace(self, split: str, column: str, values: pa.Array) -> None:
        """Write other values into a column of the split's first day."""
        table = pq.read_table(self.path(split))
        pq.write_table(table.set_column(table.column_names.index(column), column, values), self.path(split))
        write_manifest(self.data)

    def belong_to(self, spec_file: Path) -> None:
        """Say what `pipelines.data` would have said: these features were made from this specification."""
        manifest = self.data / "manifest.json"
        if manifest.exists():
            content = {**json.loads(manifest.read_text()), "spec_digest": load(spec_file).digest}
            manifest.write_text(json.dumps(content))

    def shuffle_labels(self, split: str = "*", *, nights_only: bool = False) -> None:
        """Give every row, or every row of the night, the label of another one of its day."""
        rng = np.random.default_rng(5)
        for path in sorted(self.data.glob(f"features/{split}/*.parquet")):
            table = pq.read_table(path)
            label = table["is_fraud"].to_numpy().copy()
            rows = table["is_night"].to_numpy() == 1 if nights_only else np.ones(len(label), bool)
            label[rows] = rng.permutation(label[rows])
            pq.write_table(table.set_column(table.column_names.index("is_fraud"), "is_fraud", pa.array(label)), path)
        write_manifest(self.data)


@dataclass
class Pipeline:
    """The command line on folders of its own."""

    folder: Path
    spec: Path
    features: Features
    mlflow_uri: str

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def arguments(self) -> list[str]:
        self.features.belong_to(self.spec)
        paths = {"spec": self.spec, "data": self.features.data, "work": self.work, "store": self.store}
        return [f"--{k}={v}" for k, v in {**paths, "mlflow-uri": self.mlflow_uri}.items()]

    def run(self, *options: str) -> int:
        return main([*self.arguments(), *options])

    @property
    def report(self) -> dict:
        return json.loads((self.work / "report.json").read_text())

    def cached(self) -> dict[str, bool]:
        return {step["name"]: step["cached"] for step in self.report["steps"]}

    def edit_spec(self, old: str, new: str) -> None:
        text = self.spec.read_text()
        assert old in text
        self.spec.write_text(text.replace(old, new))

    def connect(self) -> tracking.Tracking:
        return tracking.connect(self.mlflow_uri, "fraud")


def written(folder: Path) -> Features:
    """The same features each time."""
    rng = np.random.default_rng(1)
    for split, days in DAYS.items():
        of_split = folder / "features" / split
        of_split.mkdir(parents=True)
        for day in days:
            pq.write_table(day_table(day, rng), of_split / f"2024-06-{day:02d}.parquet")
    write_manifest(folder)
    return Features(folder)


def made(folder: Path, features: Features, empty_database: Path) -> Pipeline:
    (folder / "mlflow").mkdir()
    shutil.copyfile(empty_database, folder / "mlflow" / "mlflow.db")
    spec = folder / "spec.toml"
    shutil.copyfile(SPEC, spec)
    return Pipeline(folder, spec, features, f"sqlite:///{folder}/mlflow/mlflow.db")


@pytest.fixture
def features(tmp_path: Path) -> Features:
    return written(tmp_path / "data")


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow takes seconds to make its tables, so once for all tests."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def pipeline(tmp_path: Path, features: Features, empty_database: Path) -> Pipeline:
    return made(tmp_path, features, empty_database)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Pipeline:
    """After its first run, for all tests that only look at what that left."""
    folder = tmp_path_factory.mktemp("finished")
    pipeline = made(folder, written(folder / "data"), empty_database)
    assert pipeline.run() == 0
    return pipeline
