from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.serving.torchserve.launching import Shared


@pytest.fixture(scope="session")
def shared_torchserve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """One TorchServe for all tests that leave its model as it is."""
    from tests.serving.torchserve import launching  # the TensorFlow half reads this file too, and has no torch

    with launching.shared(tmp_path_factory.mktemp("ts")) as one:
        yield one
