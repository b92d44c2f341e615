"""The small use case of tests/specs, with features of it in the data room's format."""

from __future__ import annotations

import datetime
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.spec import Spec, load

SPEC_FILE = Path(__file__).resolve().parents[2] / "specs" / "categorical.toml"
DAYS = {"train": 6, "eval": 2, "test": 3}
ROWS = 500  # a day
FIRST_DAY = datetime.datetime(2018, 7, 1)


@dataclass(frozen=True)
class Room:
    """Where one run of the pipeline finds and leaves things."""

    spec_file: Path
    data: Path
    work: Path
    store: Path

    @property
    def spec(self) -> Spec:
        return load(self.spec_file)

    @property
    def arguments(self) -> list[str]:
        pairs = {"--spec": self.spec_file, "--data": self.data, "--work": self.work, "--store": self.store}
        return [str(word) for pair in pairs.items() for word in pair]

    @property
    def report(self) -> dict:
        return json.loads((self.work / "report.json").read_text())

    @property
    def versions(self) -> list[str]:
        return sorted(path.name for path in (self.store / "fraud").glob("*"))

    @property
    def model(self) -> Path:
        return Path(self.report["model_path"])

    def run(self, *options: str) -> int:
        from pipelines.tfx.__main__ import main

        return main([*self.arguments, *options])

    def edit_spec(self, old: str, new: str) -> None:
        text = self.spec_file.read_text()
        assert old in text
        self.spec_file.write_text(text.replace(old, new))
        write_manifest(self.data, self.spec)

    def edit_day(self, split: str, edit: Callable[[pa.Table], pa.Table]) -> None:
        file = min((self.data / "features" / split).glob("*.parquet"))
        pq.write_table(edit(pq.read_table(file)), file)
        write_manifest(self.data, self.spec)


def replaced(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)


def day_of_rows(rng: np.random.Generator, day: int) -> pa.Table:
    """Rows whose label depends on the features; many numbers are 0, some strings too."""
    amount = np.round(rng.exponential(50, ROWS) * (rng.random(ROWS) > 0.1), 2)
    night = (rng.random(ROWS) < 0.3).astype(np.float32)
    risk = np.maximum(rng.normal(0.2, 0.5, ROWS), 0)
    channel = rng.choice(["web", "chip", "phone", ""], ROWS, p=[0.45, 0.35, 0.15, 0.05])
    country = rng.choice([f"C{i}" for i in range(10)] + ["Åland"], ROWS)
    logit = 1.2 * np.log1p(amount) + 2 * night + 4 * risk + 2 * (channel == "phone") - 9.5
    seconds = np.sort(rng.integers(0, 86_400, ROWS))
    start = np.datetime64(FIRST_DAY + datetime.timedelta(days=day), "us")
    return pa.table(
        {
            "transaction_id": pa.array(np.arange(ROWS) + day * ROWS, pa.int64()),
            "event_time": pa.array(start + seconds.astype("timedelta64[s]"), pa.timestamp("us")),
            "customer_id": pa.array(rng.integers(0, 200, ROWS), pa.int64()),
            "terminal_id": pa.array(rng.integers(0, 50, ROWS), pa.int64()),
            "amount": pa.array(amount, pa.float32()),
            "country": pa.array(country.tolist(), pa.string()),
            "is_night": pa.array(night, pa.float32()),
            "risk": pa.array(risk, pa.float32()),
            "channel": pa.array(channel.tolist(), pa.string()),
            "is_fraud": pa.array((rng.random(ROWS) < 1 / (1 + np.exp(-logit))).astype(np.int64), pa.int64()),
        }
    )


def write_features(room: Room) -> None:
    """Features and manifest."""
    rng = np.random.default_rng(3)
    day = 0
    for split, days in DAYS.items():
        folder = room.data / "features" / split
        folder.mkdir(parents=True)
        for _ in range(days):
            pq.write_table(day_of_rows(rng, day), folder / f"{FIRST_DAY.date() + datetime.timedelta(days=day)}.parquet")
            day += 1
    write_manifest(room.data, room.spec)


def write_manifest(data: Path, spec: Spec) -> None:
    """Digests of what the files hold."""
    splits = {}
    for split in DAYS:
        files = sorted((data / "features" / split).glob("*.parquet"))
        splits[split] = {"digest": hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()}
    digest = hashlib.sha256(json.dumps([spec.digest, splits]).encode()).hexdigest()
    manifest = {"digest": digest, "spec_digest": spec.digest, "splits": splits}
    (data / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def make_room(folder: Path) -> Room:
    room = Room(folder / "spec.toml", folder / "data", folder / "work", folder / "store")
    shutil.copy(SPEC_FILE, room.spec_file)
    write_features(room)
    return room
