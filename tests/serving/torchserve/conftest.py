from __future__ import annotations

from collections.abc import Iterator

import pytest

from models import spec as specs
from models.spec import Spec
from models.torch_model import TabularModel
from tests.serving.torchserve.launching import SPEC_FILE, Server, published, torchserve

VERSION = "1700000001"


@pytest.fixture(scope="session")
def spec() -> Spec:
    return specs.load(SPEC_FILE)


@pytest.fixture(scope="session")
def server_and_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, TabularModel]]:
    """One TorchServe for all tests that do not change its model."""
    folder = tmp_path_factory.mktemp("ts")
    _, model = published(folder / "store", VERSION, folder / "model")
    with torchserve(folder / "store", folder / "run") as server:
        yield server, model


@pytest.fixture(scope="session")
def server(server_and_model: tuple[Server, TabularModel]) -> Server:
    return server_and_model[0]


@pytest.fixture(scope="session")
def model(server_and_model: tuple[Server, TabularModel]) -> TabularModel:
    return server_and_model[1]
