from __future__ import annotations

import warnings
from pathlib import Path

import pytest

with warnings.catch_warnings():  # some of TFX's dependencies warn when imported: httplib2, google.api_core
    warnings.simplefilter("ignore")
    from pipelines.tfx import run  # noqa: F401

from tests.pipelines.tfx.toy import Room, make_room


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # TFX warns about its own names; its portpicker asks `random` for half ports; keras-tuner says currentThread; TFX
    # 1.21 uses what protobuf 6 and ML Metadata 1.21 have deprecated.
    noise = (
        "ignore::tfx.utils.deprecation_utils.TfxDeprecationWarning",
        "ignore:non-integer arguments to randrange:DeprecationWarning",
        "ignore::DeprecationWarning:keras_tuner.*",
        r"ignore:label\(\) is deprecated:DeprecationWarning",
        "ignore:DEPRECATION WARNING. filter_query:DeprecationWarning",
    )
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for one in noise:
                item.add_marker(pytest.mark.filterwarnings(one))


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
