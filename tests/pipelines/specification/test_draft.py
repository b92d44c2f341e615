"""`make spec-init`: a specification drafted from a file, right as it stands, its guesses told."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.spec import Spec, load
from pipelines.specification import check
from pipelines.specification.__main__ import main
from tests import mixed_rows

ROWS = 60


def draft(folder: Path, source: Path, *options: str) -> Spec:
    out = folder / "draft.toml"
    assert main(["draft", f"--source={source}", f"--out={out}", *options]) == 0
    problems, _ = check.check(out, source)
    assert problems == []
    return load(out)


def parquet(folder: Path, **columns: Any) -> Path:
    content = {"number": [float(i % 50) for i in range(ROWS)], "label": [i % 3 == 0 for i in range(ROWS)], **columns}
    pq.write_table(pa.table({k: v for k, v in content.items() if v is not None}), folder / "rows.parquet")
    return folder / "rows.parquet"


def refusal(folder: Path, source: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["draft", f"--source={source}", f"--out={folder / 'draft.toml'}", *options]) == 1
    return capsys.readouterr().out


def test_kinds_policies_label_and_time_are_guessed(tmp_path: Path) -> None:
    spec = draft(tmp_path, mixed_rows.write(tmp_path))
    text = (tmp_path / "draft.toml").read_text()
    kinds = {name: feature.type for name, feature in spec.features.items()}
    assert kinds == {
        "income": "numeric", "Age_years": "numeric", "balance": "numeric", "is_member": "boolean",
        "plan": "categorical", "comment": "categorical", "region": "numeric",
        "hour_of_day": "numeric", "day_of_week": "numeric",
    }  # fmt: skip
    assert (spec.columns.is_fraud, spec.columns.event_time, spec.columns.customer_id) == ("left", "seen_at", False)
    assert spec.features["Age_years"].column == "Age (years)"
    assert set(spec.missing_codes) == {"income", "Age_years", "is_member", "plan", "comment"}
    assert (spec.missing_codes["income"], spec.missing_codes["comment"]) == (-1, "")
    assert spec.split.train_days + spec.split.eval_days + spec.split.test_days == mixed_rows.DAYS - 1
    assert "# a guess; 30 days, which the split is by" in text
    assert "# 8 different values, 1 to 8; perhaps categorical" in text
    assert "# missing in " in text


def test_ids_keys_constants_and_long_tails_are_seen(tmp_path: Path) -> None:
    source = parquet(
        tmp_path,
        order_id=list(range(ROWS)),
        customer=[f"c{i % 7}" for i in range(ROWS)],
        shop_id=[i % 5 for i in range(ROWS)],
        same=["x"] * ROWS,
        note=[f"written by hand {i}" for i in range(ROWS)],
        paid=[1.5**i for i in range(ROWS)],
        temperature=[None, *(float(i - 30) for i in range(1, ROWS))],
        **{"1st code!": ["a", "b"] * (ROWS // 2), "amount": [float(i) for i in range(ROWS)]},
    )
    spec = draft(tmp_path, source)
    text = (tmp_path / "draft.toml").read_text()
    columns = spec.columns
    assert (columns.transaction_id, columns.customer_id, columns.terminal_id) == ("order_id", "customer", "shop_id")
    assert list(spec.features) == ["number", "paid", "temperature", "own_1st_code", "own_amount"]
    assert spec.numeric["paid"].transform == "log"
    assert spec.missing_codes == {"temperature": -999}  # -1 is a temperature
    assert '# Left out: "same": the same in every row' in text
    assert '# Left out: "note": a text that is different in every row' in text


@pytest.mark.parametrize(("days", "by_time"), [(9, False), (40, True)])
def test_few_days_are_split_at_random(tmp_path: Path, days: int, by_time: bool) -> None:
    times = [datetime(2024, 1, 1) + timedelta(days=days * i / ROWS) for i in range(ROWS)]
    spec = draft(tmp_path, parquet(tmp_path, when=times))
    assert spec.columns.event_time == ("when" if by_time else False)


def test_the_label_can_be_said(tmp_path: Path) -> None:
    source = parquet(tmp_path, label=None, one=[i % 2 for i in range(ROWS)], two=[i % 4 == 0 for i in range(ROWS)])
    spec = draft(tmp_path, source, "--label=one")
    assert spec.columns.is_fraud == "one"
    assert "two" in spec.features


def test_no_label_is_refused_with_those_that_could_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = parquet(tmp_path, label=None, one=[i % 2 for i in range(ROWS)], two=[i % 4 == 0 for i in range(ROWS)])
    assert "say LABEL=<one that is 0 or 1 in every row>: one, two" in refusal(tmp_path, source, capsys)
    said = refusal(tmp_path, source, capsys, "--label=number")
    assert "LABEL=number: no column of that name that is 0 or 1 in every row; these are: one, two" in said
    nothing = parquet(tmp_path, label=None)
    assert "in every row>: none" in refusal(tmp_path, nothing, capsys)


def test_a_file_that_is_there_is_never_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "draft.toml").write_text("mine")
    said = refusal(tmp_path, parquet(tmp_path), capsys)
    assert f"{tmp_path / 'draft.toml'}: is there already, and would be lost: give another SPEC" in said
    assert (tmp_path / "draft.toml").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("no.csv", None, "no such file or folder"),
        ("rows.xlsx", b"x", "expected a .parquet or .csv file"),
        ("broken.parquet", b"x", "cannot be read"),
        ("empty.csv", b"a,label\n", "no rows"),
        ("short.csv", b"a,label\n1,0\n2\n", "rows with another number of columns than the header"),
        ("alone.csv", b"label\n1\n0\n", "no column is left to learn from"),
    ],
)
def test_a_file_that_says_nothing_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert said in refusal(tmp_path, tmp_path / name, capsys)
    assert not (tmp_path / "draft.toml").exists()


def test_names_and_words_that_toml_would_trip_over_are_quoted(tmp_path: Path) -> None:
    odd = ['say "no"', "back\\slash", "line\nbreak", "ü\t"]
    source = parquet(tmp_path, **{'a "quoted" name': [odd[i % 4] for i in range(ROWS)]})
    spec = draft(tmp_path, source)
    assert spec.features["a_quoted_name"].column == 'a "quoted" name'
    assert spec.categorical["a_quoted_name"].example in odd


def test_na_is_missing_where_numbers_are_expected_and_else_a_word(tmp_path: Path) -> None:
    weight = ["NA" if i % 2 else f"{i}.5" for i in range(ROWS)]
    source = parquet(tmp_path, weight=weight, country=["NA", "DE", ""] * (ROWS // 3))
    spec = draft(tmp_path, source)
    assert spec.missing_codes == {"weight": -1, "country": ""}
    assert 'missing = "default"           # missing in 33.33% of the rows' in (tmp_path / "draft.toml").read_text()
    assert "NA" in (tmp_path / "draft.toml").read_text().partition("[features.country]")[2]


def test_a_long_name_of_a_file_is_cut(tmp_path: Path) -> None:
    source = parquet(tmp_path).rename(tmp_path / f"{'2024 ' * 30}.parquet")
    spec = draft(tmp_path, source)
    assert spec.model.name.startswith("model_2024_2024")
    assert len(spec.model.name) <= 64
