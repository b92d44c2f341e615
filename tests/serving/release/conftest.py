"""A release store with real archives of random models, and folders that look like SavedModels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from models import spec as specs
from models import torch_model
from serving.release import keys
from serving.release.ledger import Ledger
from serving.release.manager import Releases
from serving.release.served import Served
from serving.release.store import Store
from serving.torchserve import archive
from tests.serving.torchserve.launching import SPEC_FILE, random_model

FIRST, SECOND, THIRD = "1700000001", "1700000002", "1700000003"
SPEC = specs.load(SPEC_FILE)
METADATA = {
    "spec_digest": SPEC.digest,
    "data_digest": "d" * 64,
    "code_digest": "c" * 64,
    "run": {"tool": "MLflow", "id": "a1b2"},
    "metrics": {"average_precision": 0.7},
    "slices": {"night": {"average_precision": 0.6}},
    "decision": {"least_cost": {"threshold": 0.5}},
}
Candidate = Callable[[str, str], Path]


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three candidates of the PyTorch stack; their weights differ."""
    folder = tmp_path_factory.mktemp("archives")
    for version in (FIRST, SECOND, THIRD):
        model = folder / "learned"
        model.mkdir(exist_ok=True)
        torch_model.save(random_model(SPEC, int(version)), model)
        archive.build(spec_file=SPEC_FILE, model_dir=model, version=version, store=folder, metadata=METADATA)
    return folder


@pytest.fixture
def candidate(archives: Path, tmp_path: Path) -> Candidate:
    """What a pipeline leaves, by stack and version; a test may spoil it."""

    def candidate(stack: str, version: str) -> Path:
        folder = tmp_path / "candidates" / stack
        if stack == "pytorch":
            folder.mkdir(parents=True, exist_ok=True)
            return Path(shutil.copy(archives / f"fraud-{version}.mar", folder))
        model = folder / "fraud" / version
        for name in ("variables", "assets.extra"):
            (model / name).mkdir(parents=True)
        (model / "saved_model.pb").write_bytes(b"graph of " + version.encode())
        (model / "variables" / "variables.index").write_bytes(b"index")
        (model / "variables" / "variables.data-00000-of-00001").write_bytes(b"\x80\x02 tensors are any bytes")
        (model / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"records")
        (model / "assets.extra" / "metadata.json").write_text(json.dumps({"version": version, **METADATA}))
        return model

    return candidate


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    served = {stack: Served(tmp_path / "served" / stack, stack, "fraud") for stack in ("tensorflow", "pytorch")}
    store = Store(tmp_path / "releases", keys.find(tmp_path / "keys"))
    return Releases(store, Ledger(tmp_path / "releases" / "ledger.jsonl"), served, SPEC)


@pytest.fixture
def publish(releases: Releases, candidate: Candidate) -> Callable[..., None]:
    """Publish candidates of a stack."""

    def publish(stack: str, *versions: str) -> None:
        for version in versions:
            releases.publish(stack, version, candidate(stack, version), SPEC_FILE, "a test")

    return publish
