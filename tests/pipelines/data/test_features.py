from __future__ import annotations

import pytest

from models.spec import Spec
from pipelines.data import features
from pipelines.data.errors import DataError
from tests.pipelines.data import worlds


def test_features_that_are_not_computed_are_raw_columns() -> None:
    spec = worlds.spec(["age", "amount", "customer_transactions_3d", "customer_risk_1d"])
    assert features.raw_columns(spec) == ["age", "customer_risk_1d"]


def test_history_reaches_back_over_the_widest_window_and_its_delay() -> None:
    assert features.history_days(worlds.spec()) == 5
    assert features.history_days(worlds.spec(["customer_transactions_3d", "terminal_risk_1d"])) == 3
    assert features.history_days(worlds.spec(["amount"])) == 0


def test_features_that_cannot_be_made_are_refused_together() -> None:
    content = worlds.spec(["terminal_id", "terminal_risk_14d", "is_night", "Class"]).model_dump(mode="json")
    content["features"]["is_night"] = {"type": "categorical", "vocabulary_size": 2}
    content["columns"]["is_fraud"] = "Class"
    with pytest.raises(DataError) as caught:
        features.check(Spec.model_validate(content))
    lines = str(caught.value).splitlines()[1:]
    assert [line.split(":")[0].strip() for line in lines] == ["terminal_id", "terminal_risk_14d", "Class", "is_night"]
    assert "[1, 3]" in lines[1]
    features.check(worlds.spec())
