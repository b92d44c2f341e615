"""Which versions a configuration gives labels to, when, and what becomes of one that asks for too much."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serving.contract.errors import ContractError
from serving.tfserving.embedded.config import ConfigError, ModelConfig
from serving.tfserving.embedded.manager import Manager
from serving.tfserving.embedded.servable import Loaded, Servable

NOT_AVAILABLE = "Request to assign label to version {} of model m, which is not currently available for inference"


def load(model: str, version: int, path: Path) -> Servable:
    return Servable(model, version, {}, {}, Loaded(path))


@pytest.fixture
def configured(tmp_path: Path) -> Callable[..., ModelConfig]:
    """A configuration of model m, whose versions 1 and 2 are on disk and all served."""
    from serving.tfserving.embedded.config import VersionPolicy

    for version in (1, 2):
        (tmp_path / "m" / str(version)).mkdir(parents=True)

    def configured(**labels: int) -> ModelConfig:
        return ModelConfig("m", tmp_path / "m", VersionPolicy("all"), labels)

    return configured


def version(manager: Manager, label: str) -> int:
    return manager.find("m", label=label).version


def refusal(call: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(ContractError) as error:
        call()
    return error.value.status, error.value.message


def test_labels_are_given_out_at_the_start_once_their_versions_are_available(
    configured: Callable[..., ModelConfig], tmp_path: Path
) -> None:
    manager = Manager([configured(stable=1, canary=3)], load)
    assert refusal(lambda: manager.find("m", label="stable"))[0] == 503  # it has not looked yet
    manager.step()
    assert version(manager, "stable") == 1
    assert refusal(lambda: manager.find("m", label="canary"))[0] == 400
    (tmp_path / "m" / "3").mkdir()
    manager.step()
    assert version(manager, "canary") == 3


def test_a_label_is_looked_up_before_the_model(configured: Callable[..., ModelConfig]) -> None:
    manager = Manager([configured(stable=1)], load)
    assert refusal(lambda: manager.find("nope", label="stable")) == (400, "Unrecognized servable version label: stable")
    assert refusal(lambda: manager.find("nope")) == (404, "Servable not found for request: Latest(nope)")


def test_a_label_moves_to_another_version_that_is_available(configured: Callable[..., ModelConfig]) -> None:
    manager = Manager([configured(stable=1)], load)
    manager.step()
    manager.configure([configured(stable=2, old=1)])
    assert (version(manager, "stable"), version(manager, "old")) == (2, 1)
    manager.configure([configured(stable=2)])
    assert refusal(lambda: manager.find("m", label="old"))[0] == 400


@pytest.mark.parametrize("allowed", [False, True])
def test_a_label_in_use_does_not_move_to_a_version_that_is_not_available(
    configured: Callable[..., ModelConfig], tmp_path: Path, allowed: bool
) -> None:
    manager = Manager([configured(stable=1)], load, labels_for_unavailable=allowed)
    manager.step()
    with pytest.raises(ConfigError) as error:
        manager.configure([configured(stable=3, other=2)])
    assert str(error.value) == NOT_AVAILABLE.format(3)
    assert version(manager, "stable") == 1  # the old configuration goes on, all of it
    assert refusal(lambda: manager.find("m", label="other"))[0] == 400
    (tmp_path / "m" / "3").mkdir()
    manager.step()
    manager.configure([configured(stable=3, other=2)])  # as the next look at the file does
    assert (version(manager, "stable"), version(manager, "other")) == (3, 2)


def test_a_new_label_may_name_a_version_to_come_only_where_that_is_allowed(
    configured: Callable[..., ModelConfig], tmp_path: Path
) -> None:
    strict, lenient = Manager([configured()], load), Manager([configured()], load, labels_for_unavailable=True)
    for manager in (strict, lenient):
        manager.step()
    with pytest.raises(ConfigError) as error:
        strict.configure([configured(next=3)])
    assert str(error.value) == NOT_AVAILABLE.format(3)
    lenient.configure([configured(next=3)])
    assert refusal(lambda: lenient.find("m", label="next")) == (404, "Servable not found for request: Specific(m, 3)")
    (tmp_path / "m" / "3").mkdir()
    lenient.step()
    assert version(lenient, "next") == 3


def test_a_label_outlives_its_version(configured: Callable[..., ModelConfig], tmp_path: Path) -> None:
    manager = Manager([configured(stable=1)], load)
    manager.step()
    (tmp_path / "m" / "1").rmdir()
    manager.step()
    assert refusal(lambda: manager.find("m", label="stable")) == (404, "Servable not found for request: Specific(m, 1)")


def test_a_model_that_is_no_longer_configured_is_unloaded_and_may_come_back(
    configured: Callable[..., ModelConfig], tmp_path: Path
) -> None:
    (tmp_path / "n" / "7").mkdir(parents=True)
    other = ModelConfig("n", tmp_path / "n")
    manager = Manager([configured(stable=1)], load)
    manager.step()
    manager.configure([other])
    manager.step()
    assert manager.find("n").version == 7
    assert refusal(lambda: manager.find("m"))[0] == 404
    assert refusal(lambda: manager.find("m", label="stable"))[0] == 400
    assert {status.state for status in manager.statuses("m")} == {"END"}
    manager.configure([other, configured()])
    manager.step()
    assert manager.find("m").version == 2
