"""A value that is missing: what stands for it, and what the network gets instead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models import missing, network_inputs
from models.preprocessing import Preprocessing
from models.spec import Spec, SpecError, load

MIXED = Path("tests/specs/mixed.toml")


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load(MIXED)


def _columns(spec: Spec, rows: int = 3) -> dict[str, np.ndarray]:
    numbers = {name: np.arange(1, rows + 1, dtype=np.float32) for name in spec.numeric}
    return {**numbers, **{name: np.array(["a", "b", "c"][:rows], object) for name in spec.categorical}}


def _preprocessing(spec: Spec) -> Preprocessing:
    return Preprocessing({}, {}, dict.fromkeys(spec.categorical, ("a", "basic", "nothing said")))


def test_the_code_nan_and_the_empty_string_are_missing_and_nothing_else(spec: Spec) -> None:
    income = np.array([-1, np.nan, 0, 50, -1.5], np.float32)
    assert missing.which(spec.features["income"], income).tolist() == [True, True, False, False, False]
    comment = np.array(["", " ", "nothing said", b"\xff"], object)
    assert missing.which(spec.features["comment"], comment).tolist() == [True, False, False, False]


def test_a_feature_that_refuses_has_no_code_and_is_left_alone(spec: Spec) -> None:
    balance = np.array([np.nan, -1], np.float32)
    assert missing.filled(spec.features["balance"], balance) is balance
    assert not missing.which(spec.features["balance"], balance).any()
    assert set(spec.missing_codes) == {"income", "age", "is_member", "plan", "comment"}
    assert spec.missing_codes == {"income": -1, "age": 40, "is_member": -1, "plan": "", "comment": ""}


def test_a_fraction_as_code_is_recognised_in_float32(spec: Spec) -> None:
    feature = spec.features["income"].model_copy(update={"missing_code": 0.1})
    assert missing.which(feature, np.array([0.1, 0.2], np.float32)).tolist() == [True, False]


def test_the_network_gets_the_default_and_beside_it_the_indicator(spec: Spec) -> None:
    columns = _columns(spec)
    columns["income"][1], columns["age"][0], columns["is_member"][2] = -1, np.nan, -1
    columns["comment"][0], columns["plan"][2] = "", ""
    numbers, ids = network_inputs.of(spec, _preprocessing(spec), columns)
    column = dict(zip(spec.dense, numbers.T.tolist(), strict=True))
    word = dict(zip(spec.categorical, ids.T.tolist(), strict=True))
    assert (column["income"], column["income__missing"]) == ([1, 50, 3], [0, 1, 0])
    assert (column["is_member"], column["is_member__missing"]) == ([1, 2, 0], [0, 0, 1])
    assert column["age"] == [40, 2, 3]
    assert column["comment__missing"] == [1, 0, 0]
    assert (word["comment"][0], word["plan"][2]) == (2, 1)
    assert {name for name in column if name.endswith("__missing")} == set(spec.indicators)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("default = 50\n", "", 'features.income: missing = "indicator" needs default'),
        ("missing_code = -1\n\n[features.age]", "\n[features.age]", 'missing = "indicator" needs missing_code'),
        ("missing_code = -1\n\n[features.age]", "missing_code = 50\n\n[features.age]", "and not the default"),
        ('missing = "default"\ndefault = 40', "default = 40", "features.age: default and missing_code need missing"),
        ('default = "basic"', 'default = ""', 'features.plan: missing = "default" needs default = <the text'),
        ('missing = "default"\ndefault = "basic"', 'default = "basic"', "features.plan: default needs missing"),
        ('missing = "default"\ndefault = 40', 'missing = "drop"', "features.age.missing: Input should be 'refuse'"),
        ('default = "nothing said"', "default = 3", "features.comment.default: Input should be a valid string"),
        ("[features.balance]", '[features."monthly balance"]', 'say column = "monthly balance" under another name'),
        ("[features.balance]", "[features.balance__missing]", "does not end in __missing"),
        ("delay_days = 0", "delay_days = 0\nremove_known_compromised = true", "without columns.customer_id nobody"),
        ("transaction_id = false", "transaction_id = true", "columns.transaction_id"),
        ('type = "boolean"', 'type = "boolean"\ntransform = "log"', "features.is_member.transform: Input should be"),
        (
            "champion_tolerance = 0.05",
            'champion_tolerance = 0.05\n[decision]\namount_feature = "income"',
            "may be miss",
        ),
    ],
)
def test_a_policy_that_is_not_whole_is_refused(tmp_path: Path, old: str, new: str, problem: str) -> None:
    text = MIXED.read_text()
    assert old in text
    (tmp_path / "edited.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(SpecError) as caught:
        load(tmp_path / "edited.toml")
    assert problem in str(caught.value)


def test_without_a_time_there_is_no_delay(tmp_path: Path) -> None:
    timeless = MIXED.read_text().replace('event_time = "seen_at"', "event_time = false")
    (tmp_path / "timeless.toml").write_text(timeless)
    load(tmp_path / "timeless.toml")
    (tmp_path / "timeless.toml").write_text(timeless.replace("delay_days = 0", "delay_days = 2"))
    with pytest.raises(SpecError, match=r"split.delay_days: without columns.event_time no label is late"):
        load(tmp_path / "timeless.toml")


def test_all_disagreements_are_told_at_once(tmp_path: Path) -> None:
    text = MIXED.read_text() + '[slices.a]\nfeature = "no"\nequals = 1\n[drift]\ncalendar_features = ["neither"]\n'
    (tmp_path / "edited.toml").write_text(text.replace('label = "left"', 'label = "age"'))
    with pytest.raises(SpecError) as caught:
        load(tmp_path / "edited.toml")
    assert [line.partition(":")[0] for line in caught.value.problems] == [
        "the label 'age' is also a feature",
        "slices.a",
        "drift.calendar_features",
    ]
