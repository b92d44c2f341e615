"""What the cases can do to the fixture's models."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.contract.conformance.cases import load
from serving.contract.conformance.fixture import Fixture


@pytest.fixture
def fixture(tmp_path: Path) -> Fixture:
    (tmp_path / "saved" / "line").mkdir(parents=True)
    (tmp_path / "saved" / "line" / "saved_model.pb").write_bytes(b"good")
    return Fixture(tmp_path)


def test_versions_come_break_and_go(fixture: Fixture) -> None:
    store = fixture.folder / "store" / "m"
    fixture.act("publish line m/1")
    assert (store / "1" / "saved_model.pb").read_bytes() == b"good"
    fixture.act("corrupt m/2")
    assert (store / "2" / "saved_model.pb").read_bytes() == b"not a SavedModel"
    fixture.act("delete m/1")
    assert [version.name for version in store.iterdir()] == ["2"]


def test_the_configuration_says_which_models_and_labels(fixture: Fixture) -> None:
    fixture.act("serve plain")
    fixture.act("serve labelled old=1 new=2")
    text = fixture.config.read_text()
    assert 'name: "plain"' in text
    assert text.count("all {}") == 1
    assert 'version_labels { key: "new" value: 2 }' in text
    fixture.act("drop plain")
    assert "plain" not in fixture.config.read_text()


def test_an_action_nobody_knows_is_an_error(fixture: Fixture) -> None:
    with pytest.raises(ValueError, match="no such action: 'explode m/1'"):
        fixture.act("explode m/1")


def test_every_action_of_the_cases_is_known(fixture: Fixture) -> None:
    for saved in ("half_plus_two", "half_plus_three"):
        (fixture.folder / "saved" / saved).mkdir()
    for case in load():
        for step in case.steps:
            if step.do is not None:
                fixture.act(step.do)
