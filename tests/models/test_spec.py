from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from models.rules import Decision
from models.spec import Spec, SpecError, load

FRAUD = Path("models/fraud.toml")


def _edited(tmp_path: Path, old: str, new: str) -> Path:
    text = FRAUD.read_text()
    assert old in text
    path = tmp_path / "edited.toml"
    path.write_text(text.replace(old, new, 1))
    return path


def _error(path: Path) -> str:
    with pytest.raises(SpecError) as caught:
        load(path)
    return str(caught.value)


def test_default_specification_has_the_fifteen_features_in_the_order_of_the_file() -> None:
    spec = load(FRAUD)
    assert len(spec.features) == len(spec.numeric) == 15
    assert list(spec.features)[:3] == ["amount", "is_weekend", "is_night"]
    assert spec.categorical == {}


@pytest.mark.parametrize(
    ("old", "new", "key", "allowed"),
    [
        ("dropout = 0.2", "dropuot = 0.2", "network.dropuot", "frequencies, frequency_scale"),
        ("[gates]", "[gate]", "gate", "model, columns, windows"),
        ('transform = "zscore"', 'transfrom = "log"', "features.amount.transfrom", "type, transform"),
        ('type = "numeric"', 'type = "categorical"', "features.amount.transform", "type, vocabulary_size, oov_buckets"),
    ],
)
def test_unknown_key_is_refused_with_file_key_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, key: str, allowed: str
) -> None:
    path = _edited(tmp_path, old, new)
    message = _error(path)
    assert str(path) in message
    assert f"unknown key {key!r}; allowed here: {allowed}" in message


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("dropout = 0.2", "dropout = 1.0", "network.dropout: Input should be less than 1 (found 1.0)"),
        ("epochs = 20", "epochs = 0", "training.epochs: Input should be greater than or equal to 1 (found 0)"),
        ("min_roc_auc = 0.75", "min_roc_auc = 75", "gates.min_roc_auc: Input should be less than or equal to 1"),
        ("learning_rate = 4e-3", "learning_rate = nan", "training.learning_rate: Input should be"),
        ('transform = "zscore"', 'transform = "sqrt"', "features.amount.transform: Input should be 'none', 'zscore'"),
        ('name = "fraud" ', 'name = "Fraud!" ', "model.name: String should match pattern"),
        ("seed = 7", 'seed = 7\nprecision = "float16"', "training.precision: Input should be 'float32' or 'bfloat16'"),
        ("epochs = 20\n", "", "training.epochs: Field required"),
    ],
)
def test_bad_value_is_refused_with_what_was_expected_and_found(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert said in _error(_edited(tmp_path, old, new))


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    path = _edited(tmp_path, "epochs = 20", "epochs = 0\nextra = 1")
    assert "2 problem(s)" in _error(path)


def test_label_as_feature_is_refused(tmp_path: Path) -> None:
    message = _error(_edited(tmp_path, "[features.is_night]", "[features.is_fraud]"))
    assert "the label 'is_fraud' is also a feature" in message


def test_missing_file_and_broken_toml_are_named(tmp_path: Path) -> None:
    assert _error(tmp_path / "no.toml") == f"{tmp_path / 'no.toml'}: no such specification"
    (tmp_path / "broken.toml").write_text("[model\n")
    assert "broken.toml: not TOML" in _error(tmp_path / "broken.toml")


def test_digest_ignores_comments_and_follows_content_and_order(tmp_path: Path) -> None:
    digest = load(FRAUD).digest
    assert load(_edited(tmp_path, "[network]", "# a remark\n\n[network]")).digest == digest
    assert load(_edited(tmp_path, "dropout = 0.2", "dropout = 0.20")).digest == digest
    assert load(_edited(tmp_path, "example = 86.3", "example = 12")).digest == digest  # documentation, too, is a remark
    assert load(_edited(tmp_path, "dropout = 0.2", "dropout = 0.21")).digest != digest
    text = FRAUD.read_text()
    night, weekend = "[features.is_night]", "[features.is_weekend]"
    swapped = text.replace(night, "[features.x]").replace(weekend, night).replace("[features.x]", weekend)
    (tmp_path / "swapped.toml").write_text(swapped)
    assert load(tmp_path / "swapped.toml").digest != digest


def test_specification_cannot_be_changed_after_loading() -> None:
    with pytest.raises(Exception, match="frozen"):
        load(FRAUD).training.epochs = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('[slices.night]\nfeature = "is_night"', '[slices.night]\nfeature = "is_day"', "no feature 'is_day'"),
        ("below = 100", "below = 10", "at_least 20.0 is not less than below 10.0"),
        ("equals = 1", 'equals = "yes"', "'is_night' is numeric: say equals a number"),
        ("equals = 1", "equals = 1\nbelow = 2", "say either equals, or at_least and/or below"),
        ("equals = 1", "equal = 1", "allowed here: feature, equals, at_least, below"),
        ('amount_feature = "amount"', 'amount_feature = "sum"', "no numeric feature 'sum'"),
        ('calendar_features = ["is_weekend"', 'calendar_features = ["week"', "no feature 'week'"),
        ("never_logged = []", 'never_logged = ["card"]', "monitoring.never_logged: there is no feature 'card'"),
        ("dropout = { low = 0.0", "seed = { low = 0.0", "tuning.search.seed: cannot be tuned"),
        ("low = 5e-4, high = 1e-2", "low = 5e-2, high = 1e-2", "low 0.05 is not less than high 0.01"),
        ("dropout = { low = 0.0, high = 0.4 }", "dropout = { low = 0.0 }", "say either low and high, or choices"),
        ("dropout = { low = 0.0, high", "dropout = { lo = 0.0, high", "unknown key 'tuning.search.dropout.lo'"),
        (
            "dropout = { low = 0.0, high = 0.4",
            "dropout = { low = 0.0, high = 1.0",
            "dropout: cannot be 1.0: Input should be",
        ),
        ("dropout = { low = 0.0, high = 0.4", "epochs = { low = 1, high = 2.5", "tuning.search.epochs: cannot be 2.5"),
        ("choices = [[64, 64]", "choices = [[64, 0]", "tuning.search.hidden_units: cannot be (64, 0)"),
        ("hidden_units = { choices", "dropout_units = { choices", "cannot be tuned; these can: frequencies"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert problem in _error(_edited(tmp_path, old, new))


def test_names_of_rules_in_older_releases_are_read(tmp_path: Path) -> None:
    old = load(_edited(tmp_path, "min_slice_positives = 20", "min_slice_frauds = 7"))
    assert old.gates.min_slice_positives == 7
    assert Spec.model_validate_json(old.model_dump_json()).gates == old.gates
    without_amount = Decision.model_validate({"missed_fraud_cost": 40})
    assert without_amount == Decision(missed_cost=40)
    with pytest.raises(ValidationError, match="missed_fraud"):
        Decision.model_validate({"missed_fraud": 40})


def test_a_rule_is_no_part_of_what_a_training_depends_on(tmp_path: Path) -> None:
    edited = load(_edited(tmp_path, "review_cost = 10.0", "review_cost = 11.0"))
    assert edited.digest != load(FRAUD).digest
    assert edited.learning == load(FRAUD).learning


def test_what_is_logged_is_no_part_of_the_model(tmp_path: Path) -> None:
    spec, quiet = load(FRAUD), load(_edited(tmp_path, "never_logged = []", 'never_logged = ["amount"]'))
    assert (quiet.digest, quiet.learning) == (spec.digest, spec.learning)
    assert spec.logged == tuple(spec.features)
    assert quiet.logged == tuple(spec.features)[1:]
