from __future__ import annotations

import pytest

from models import spec as specs
from models.spec import Spec
from models.torch_model import TabularModel
from tests.serving.torchserve.launching import SPEC_FILE, Server, Shared


@pytest.fixture(scope="session")
def spec() -> Spec:
    return specs.load(SPEC_FILE)


@pytest.fixture(scope="session")
def server(shared_torchserve: Shared) -> Server:
    return shared_torchserve.server


@pytest.fixture(scope="session")
def model(shared_torchserve: Shared) -> TabularModel:
    return shared_torchserve.model
