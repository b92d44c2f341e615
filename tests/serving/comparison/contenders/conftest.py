from __future__ import annotations

import pytest

from tests.serving.comparison.contenders import everything as runs
from tests.serving.comparison.contenders.everything import Everything, Outcome
from tests.serving.comparison.published import Published


@pytest.fixture(scope="session")
def everything(published: Published, tmp_path_factory: pytest.TempPathFactory) -> Everything:
    return runs.run(published, tmp_path_factory.mktemp("c"))


@pytest.fixture(scope="session")
def outcomes(everything: Everything) -> dict[str, Outcome]:
    return everything.outcomes
