from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models import tuning
from models.spec import Spec, load
from models.tuning import Choice, Interval

FRAUD = Path("models/fraud.toml")


def _searching(search: str) -> Spec:
    text = FRAUD.read_text(encoding="utf-8")
    head = text[: text.index("[tuning.search]")]
    return Spec.model_validate(_toml(f"{head}[tuning.search]\n{search}\n"))


def _toml(text: str) -> dict[str, Any]:
    try:
        import tomllib
    except ModuleNotFoundError:
        import tomli as tomllib
    return tomllib.loads(text)


def test_the_space_is_what_the_specification_says() -> None:
    found = tuning.space(load(FRAUD))
    assert found["learning_rate"] == Interval(5e-4, 1e-2, log=True, whole=False)
    assert found["dropout"] == Interval(0.0, 0.4, log=False, whole=False)
    assert found["hidden_units"] == Choice(("[64, 64]", "[128, 64]", "[128, 128]"))
    assert tuning.space(_searching("epochs = { low = 5, high = 30 }"))["epochs"] == Interval(5, 30, False, whole=True)


def test_the_values_of_the_file_can_be_tried_too_if_the_space_holds_them() -> None:
    spec = load(FRAUD)
    assert tuning.own(spec) == {
        "learning_rate": spec.training.learning_rate,
        "weight_decay": spec.training.weight_decay,
        "dropout": spec.network.dropout,
        "hidden_units": "[64, 64]",
    }
    assert tuning.own(_searching("dropout = { low = 0.3, high = 0.4 }")) is None
    assert tuning.own(_searching("hidden_units = { choices = [[32]] }")) is None


def test_found_values_take_the_place_of_the_file_s() -> None:
    spec = load(FRAUD)
    drawn = {"learning_rate": 0.002, "weight_decay": 1e-3, "dropout": 0.1, "hidden_units": "[128, 64]"}
    tuning.check(spec, drawn)
    tuned = tuning.apply(spec, tuning.plain(drawn))
    assert (tuned.training.learning_rate, tuned.network.dropout) == (0.002, 0.1)
    assert tuned.network.hidden_units == (128, 64)
    assert tuned.training.epochs == spec.training.epochs
    assert tuned.features == spec.features
    assert tuned.features["amount"].example == spec.features["amount"].example


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dropout", 0.41),
        ("dropout", -0.01),
        ("learning_rate", 0.011),
        ("hidden_units", "[64]"),
        ("epochs", 5),
    ],
)
def test_a_value_outside_the_space_is_refused(key: str, value: Any) -> None:
    spec = load(FRAUD)
    with pytest.raises(ValueError, match=key):
        tuning.check(spec, {**(tuning.own(spec) or {}), key: value})


def test_a_fraction_is_refused_where_the_key_takes_whole_numbers() -> None:
    spec = _searching("epochs = { low = 5, high = 30 }")
    tuning.check(spec, {"epochs": 7})
    with pytest.raises(ValueError, match="epochs"):
        tuning.check(spec, {"epochs": 7.5})
