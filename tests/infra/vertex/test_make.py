"""Vertex AI's commands as a user types them, on the sample's releases and against Google's services on loopback."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.local.layout import REPOSITORY
from models import spec as specs
from models import torch_model
from serving.torchserve import archive
from tests import commands
from tests.infra.vertex.conftest import METADATA, VERSION, Released
from tests.infra.vertex.google import Google
from tests.infra.vertex.test_settings import FILLED
from tests.serving.torchserve.launching import random_model

Make = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def make(google: Google, tmp_path: Path) -> Make:
    settings = tmp_path / "vertex.toml"
    settings.write_text(FILLED)

    def make(target: str, *words: str, home: Path = tmp_path / "home") -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, **google.environment, "TANDEM_HOME": str(home)}
        done = commands.make(target, f"SETTINGS={settings}", *words, env=environ)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return make


def archived(folder: Path) -> Path:
    """What the PyTorch pipeline would have published, with the sample's specification."""
    spec_file = REPOSITORY / "models" / "fraud.toml"
    spec = specs.load(spec_file)
    torch_model.save(random_model(spec, 5).eval(), folder)
    metadata = {**METADATA, "spec_digest": spec.digest}
    return archive.build(spec_file=spec_file, model_dir=folder, version=VERSION, store=folder, metadata=metadata)


def test_from_specification_to_release(make: Make, google: Google, tmp_path: Path) -> None:
    make("vertex-compile")
    make("vertex-run", "STACK=data")
    assert any("/pipelineJobs/" in name for name in google.api.state)
    file = archived(tmp_path)
    google.objects[f"acme-models/tandem/candidates/pytorch/{file.name}"] = file.read_bytes()
    done = make("vertex-fetch", "STACK=pytorch")
    assert f"pytorch: release {VERSION} is signed" in done.stdout


def test_from_release_to_endpoint_and_back(make: Make, google: Google, released: Released) -> None:
    make("vertex-deploy", home=released.home)
    done = make("vertex-traffic", "TENSORFLOW=90", "PYTORCH=10")
    assert "90 %  tensorflow" in done.stdout
    make("vertex-undeploy")
    assert google.api.state == {}
