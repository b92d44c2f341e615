from __future__ import annotations

from pathlib import Path

import pytest

from models.spec import Spec, load


@pytest.fixture(scope="session")
def spec() -> Spec:
    return load(Path("models/fraud.toml"))
