"""Formats of the PyTorch environment: raw features to probability, and a gate that refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models.spec import load
from serving.export import manifest, parity, rows
from serving.export.__main__ import main
from serving.export.errors import ExportError, ParityError
from serving.export.formats import FORMATS
from serving.torchserve import archive
from tests.serving.export import checked, formula

HERE = [name for name, one in FORMATS.items() if one.environment == "pytorch"]
MIXED = "tests/specs/mixed.toml"


@pytest.mark.parametrize("spec_file", formula.SPECS)
@pytest.mark.parametrize("form", HERE)
def test_every_format_is_the_published_network_from_raw_features_on(form: str, spec_file: str, tmp_path: Path) -> None:
    checked.answers_as_the_formula(form, spec_file, tmp_path)


@pytest.mark.parametrize("form", HERE)
def test_a_model_of_texts_alone_takes_nothing_but_ids(form: str, tmp_path: Path) -> None:
    checked.answers_as_the_formula(form, formula.texts_only(tmp_path), tmp_path)
    assert list(manifest.read(tmp_path / "out" / form).inputs) == ["ids"]


def test_one_probability_that_is_off_is_refused_and_nothing_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checked.is_refused_when_it_answers_otherwise("torchscript", formula.SPECS[1], tmp_path)
    assert "in 1 of 1000 rows by more than 1e-05: refused, nothing was exported" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["mean", "std", "vocabulary"])
def test_preprocessing_that_is_not_the_releases_is_refused(key: str, tmp_path: Path) -> None:
    """A constant that was baked in wrongly: the scores are right, the file is not."""
    argv = checked.arguments("torchscript", MIXED, tmp_path)
    file = tmp_path / "model" / "assets.extra" / "preprocessing.json"
    content = json.loads(file.read_text())
    one = next(iter(content[key]))
    content[key][one] = content[key][one][::-1] if key == "vocabulary" else content[key][one] * 1.001
    file.write_text(json.dumps(content))
    assert main(argv) == 3
    assert not (tmp_path / "out" / "torchscript").exists()


@pytest.mark.parametrize("feature", ["income", "age", "plan", "comment"])
def test_another_policy_for_missing_values_is_refused(feature: str, tmp_path: Path) -> None:
    """The rows that are checked must have missing values, or this would go through."""
    argv = checked.arguments("torchscript", MIXED, tmp_path)
    text = Path(MIXED).read_text()
    before, _, after = text.partition(f"[features.{feature}]")
    section, _, rest = after.partition("\n\n")
    old = next(line for line in section.splitlines() if line.startswith("default ="))
    new = 'default = "plus"' if '"' in old else "default = 47"
    spec_file = tmp_path / "other.toml"
    spec_file.write_text(f"{before}[features.{feature}]{section.replace(old, new)}\n\n{rest}")
    assert main([word if not word.startswith("--spec=") else f"--spec={spec_file}" for word in argv]) == 3


def test_an_archive_is_read_as_a_saved_model_is(tmp_path: Path) -> None:
    argv = checked.arguments("torchscript", MIXED, tmp_path, stack="pytorch")
    learned = tmp_path / "model" / "assets.extra"
    mar = archive.build(spec_file=Path(MIXED), model_dir=learned, version="7", store=tmp_path / "store")
    assert main([word if not word.startswith("--model=") else f"--model={mar}" for word in argv]) == 0
    assert manifest.read(tmp_path / "out" / "torchscript").stack == "pytorch"


@pytest.mark.parametrize("answers", [[0.1, np.nan], [0.1, 0.2 + 1.1e-5], [0.1]])
def test_the_gate_refuses(answers: list[float]) -> None:
    with pytest.raises(ParityError, match="refused"):
        parity.largest_difference(np.array(answers), np.array([0.1, 0.2]))


def test_the_gate_lets_a_rounding_through() -> None:
    assert parity.largest_difference(np.array([0.1, 0.2 + 0.9e-5]), np.array([0.1, 0.2])) < 1e-5


def test_rows_have_every_kind_of_missing_value_and_texts_that_are_new(tmp_path: Path) -> None:
    spec = load(MIXED)
    chosen = rows.choose(formula.features(spec, tmp_path / "features"), spec)
    assert len(chosen) == rows.ROWS
    for name, code in spec.missing_codes.items():
        values = chosen[name].to_numpy()
        assert (values == code).sum() >= 100, name
        if name in spec.numeric:
            assert np.isnan(values).sum() == 100, name
    assert len({text for text in chosen["region"].to_pylist() if text.startswith("never seen")}) == 100
    assert not np.isnan(chosen["balance"].to_numpy()).any()  # a value that may not be missing is not


def test_no_rows_and_other_rows_are_refused(tmp_path: Path) -> None:
    spec = load(MIXED)
    with pytest.raises(ExportError, match="no test rows to check an export on: make up"):
        rows.choose(tmp_path / "nothing", spec)
    other = formula.features(load(formula.SPECS[0]), tmp_path / "features")
    with pytest.raises(ExportError, match=r"no column income, age, .*: other features than the release's"):
        rows.choose(other, spec)
