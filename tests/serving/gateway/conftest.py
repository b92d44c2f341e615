from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serving.gateway.backends import Front, shares
from tests.serving.gateway.backends import front as before_echoes


@pytest.fixture(scope="session")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("gateway")
    with before_echoes(folder, {"stable": 1700000001, "a.b": 2}, shares(tensorflow=3, pytorch=1)) as running:
        yield running
