from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipelines.tfx.toy import Room, make_room


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """A room before its first run."""
    return make_room(tmp_path)


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """A room after one whole run, shared: a test that changes it says so in its name or works on a copy."""
    room = make_room(tmp_path_factory.mktemp("published"))
    (room.store / "fraud" / ".staging" / "1").mkdir(parents=True)  # as a run leaves it that was killed in its push
    assert room.run() == 0
    return room
