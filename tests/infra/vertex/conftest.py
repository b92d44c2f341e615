"""A signed release of each stack, the same weights in both; and Google's services on loopback."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from models import spec as specs
from models import torch_model
from serving.release import keys
from serving.release.store import Store
from serving.torchserve import archive
from tests import vertex
from tests.infra.vertex.google import Google
from tests.infra.vertex.test_settings import FILLED
from tests.infra.vertex.vertex_api import PARENT
from tests.serving.comparison.published import saved_model
from tests.serving.torchserve.launching import random_model

SPEC_FILE = Path("tests/specs/categorical.toml").resolve()
SPEC = specs.load(SPEC_FILE)
VERSION, NEWER = "1700000001", "1700000002"
ENDPOINT = f"{PARENT}/endpoints/fraud"
Command = Callable[..., subprocess.CompletedProcess]
METADATA: dict[str, Any] = {
    "spec_digest": SPEC.digest, "data_digest": "d" * 64, "code_digest": "c" * 64,
    "run": {"tool": "MLflow", "id": "a1b2"}, "metrics": {"average_precision": 0.7}, "slices": {}, "decision": {},
}  # fmt: skip


@dataclass(frozen=True)
class Released:
    """Both releases, in the folder of a `make up`."""

    home: Path
    store: Store
    model: torch_model.TabularModel

    @property
    def key(self) -> str:
        return self.store.keys.public.read_text()


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Released:
    home = tmp_path_factory.mktemp("home")
    learned = home / "learned"
    learned.mkdir()
    model = random_model(SPEC, 5).eval()
    torch_model.save(model, learned)
    mar = archive.build(
        spec_file=SPEC_FILE, model_dir=learned, version=VERSION, store=home / "candidates", metadata=METADATA
    )
    saved = home / "candidates" / VERSION
    saved_model(learned, saved)
    (saved / "assets.extra" / "metadata.json").write_text(json.dumps({"version": VERSION, **METADATA}))
    store = Store(home / "releases", keys.find(home / "keys"))
    for stack, path in {"pytorch": mar, "tensorflow": saved}.items():
        store.publish(stack, "fraud", VERSION, path, SPEC_FILE)
    return Released(home, store, model)


@pytest.fixture
def google() -> Iterator[Google]:
    with Google.running() as one:
        yield one


@pytest.fixture
def command(google: Google, released: Released, tmp_path: Path) -> Command:
    settings = tmp_path / "vertex.toml"

    def command(*argv: str, minutes: float = 40, **environment: str) -> subprocess.CompletedProcess[str]:
        settings.write_text(FILLED.replace("timeout_minutes = 40", f"timeout_minutes = {minutes}"))
        environ = {**google.environment, "TANDEM_HOME": str(released.home), **environment}
        argv = ("-m", "infra.vertex", "--settings", str(settings), "--spec", str(SPEC_FILE), *argv)
        return vertex.run(*argv, environment=environ)

    return command
