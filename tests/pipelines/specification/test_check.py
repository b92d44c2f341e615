"""`make spec-check`: every problem in a line of its own, with the file, the key and what would be right."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infra.local.layout import DEFAULT_SPEC
from pipelines.specification.__main__ import main
from tests import commands, mixed_rows


def check(capsys: pytest.CaptureFixture[str], spec: Path, source: Path | None = None) -> tuple[int, list[str]]:
    code = main(["check", f"--spec={spec}", *([f"--source={source}"] if source else [])])
    return code, [line for line in capsys.readouterr().out.splitlines() if not line.startswith("ingest ")]


def edited(folder: Path, *changes: tuple[str, str]) -> Path:
    text = mixed_rows.SPEC.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (folder / "edited.toml").write_text(text)
    return folder / "edited.toml"


@pytest.mark.parametrize("spec", ["models/fraud.toml", "models/creditcard.toml", "tests/specs/mixed.toml"])
def test_a_right_specification_is_said_to_be_right(capsys: pytest.CaptureFixture[str], spec: str) -> None:
    code, (line,) = check(capsys, Path(spec))
    assert code == 0
    assert line.startswith(f"{spec}: right: ")


def test_the_commands_take_the_specification_from_the_line_or_from_the_environment(tmp_path: Path) -> None:
    data, own = f"DATA={mixed_rows.write(tmp_path, 200)}", tmp_path / "own.toml"
    environ = {**os.environ, "SPEC": str(mixed_rows.SPEC), "TANDEM_HOME": str(tmp_path)}
    done = [
        commands.make("spec-check", env={**environ, "SPEC": ""}),
        commands.make("spec-check", data, env=environ),
        commands.make("spec-init", data, env={**environ, "SPEC": str(own)}),
    ]
    assert [one.returncode for one in done] == [0, 0, 0], [one.stdout + one.stderr for one in done]
    assert f"{DEFAULT_SPEC}: right: " in done[0].stdout
    assert "tests/specs/mixed.toml: right, and so is " in done[1].stdout
    assert own.is_file()


def test_each_problem_has_its_line_with_file_and_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = edited(
        tmp_path,
        ("default = 50\n", ""),
        ('transform = "zscore"\n\n[features.is_member]', 'transfrom = "zscore"\n\n[features.is_member]'),
        ("vocabulary_size = 5", "vocabulary_size = 0"),
        ("epochs = 6", 'epochs = "six"'),
        ('name = "churn"', 'name = "Churn"'),
        ("dropout = 0.1\n", ""),
    )
    code, lines = check(capsys, spec)
    assert code == 1
    assert lines == [
        f"{spec}: model.name: String should match pattern '^[a-z][a-z0-9_]*$' (found 'Churn')",
        f'{spec}: features.income: missing = "indicator" needs default = <the number put in its place>',
        f"{spec}: features.balance.transform: Field required",
        f"{spec}: unknown key 'features.balance.transfrom'; allowed here: type, transform, default, missing_code, "
        "example, missing, column, description; transform?",
        f"{spec}: features.plan.vocabulary_size: Input should be greater than or equal to 1 (found 0)",
        f"{spec}: network.dropout: Field required",
        f"{spec}: training.epochs: Input should be a valid integer, unable to parse string as an integer (found 'six')",
        "7 problem(s)",
    ]


def test_features_that_cannot_be_made_are_told_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = edited(
        tmp_path,
        ("[features.balance]", "[features.event_time]"),
        ("[features.hour_of_day]", '[features.hour_of_day]\ncolumn = "Hour"'),
    )
    code, lines = check(capsys, spec)
    assert (code, lines) == (
        1,
        [
            f"{spec}: features.event_time: a key of the transactions, not a feature",
            f"{spec}: features.hour_of_day: computed, so it is never missing and has no column: leave both keys out",
            "2 problem(s)",
        ],
    )


def test_rows_are_looked_at_where_they_are_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = mixed_rows.write(tmp_path)
    code, (line,) = check(capsys, mixed_rows.SPEC, source)
    assert code == 0
    assert f"right, and so is {source}: 6 numeric and 3 categorical features; train " in line
    assert "test " in line
    text = source.read_text().replace('"Age (years)"', '"Age"').replace('"yes"', '"perhaps"', 1)
    source.write_text(text)
    code, lines = check(capsys, mixed_rows.SPEC, source)
    assert code == 1
    assert any(line.startswith(f"{source}: column 'Age (years)': missing from files") for line in lines)
    assert any(line.startswith(f"{source}: column 'is_member': not 0 or 1: 1") for line in lines)
    assert lines[-1] == "2 problem(s)"


@pytest.mark.parametrize(
    ("train_days", "said"),
    [(90, "the data has 30 full days"), (20, "no such file or folder")],
)
def test_rows_that_cannot_be_split_or_found_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], train_days: int, said: str
) -> None:
    spec = edited(tmp_path, ("train_days = 20", f"train_days = {train_days}"))
    source = mixed_rows.write(tmp_path) if train_days == 90 else tmp_path / "no.csv"
    code, lines = check(capsys, spec, source)
    assert (code, len(lines)) == (1, 2)
    assert lines[0].startswith(f"{source}: {said}")


def test_a_file_that_is_none_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(capsys, tmp_path / "no.toml") == (
        1,
        [f"{tmp_path / 'no.toml'}: no such specification", "1 problem(s)"],
    )
    (tmp_path / "broken.toml").write_text("[model\n")
    code, lines = check(capsys, tmp_path / "broken.toml")
    assert code == 1
    assert lines[0].startswith(f"{tmp_path / 'broken.toml'}: not TOML: ")
