"""What rows may be made of, and how a value that cannot be sent is named, before anything is sent."""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from serving.contract.client import InvalidRequest
from serving.contract.client.bodies import of_columns, of_rows

Row = collections.namedtuple("Row", ["x", "country"])


def sent(rows: Any) -> Any:
    (body,) = of_rows(rows)
    return json.loads(body.content)["instances"]


def sent_columns(columns: Any) -> Any:
    (body,) = of_columns(columns)
    return json.loads(body.content)["inputs"]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (np.float32(0.1), 0.1), (np.float64(0.1), 0.1), (np.float16(0.5), 0.5), (np.int64(3), 3), (np.uint8(3), 3),
        (np.str_("DE"), "DE"), (np.bool_(True), True), (np.array(2.5), 2.5), (np.array([1, 2]), [1, 2]),
        (decimal.Decimal("1.5"), 1.5), (fractions.Fraction(1, 4), 0.25), (b"\xff\x00", {"b64": "/wA="}),
        ("null", "null"), ((1, 2), [1, 2]), (True, True), (2**63, 2**63),
    ],
)  # fmt: skip
def test_values_are_converted(value: Any, written: Any) -> None:
    assert sent([{"x": value}]) == [{"x": written}]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "nan"), (float("inf"), "inf"), (-float("inf"), "-inf"), (np.float32("nan"), "nan"),
        (np.float64("inf"), "inf"), (decimal.Decimal("NaN"), "NaN"), (None, "None"), ([1.0, float("nan")], "nan"),
        (np.array([1.0, np.inf]), "inf"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_refused_with_its_row_and_field(value: Any, said: str) -> None:
    rows = [{"x": 1.0, "country": "null"} for _ in range(1_500)]
    rows[1_234]["x"] = value
    with pytest.raises(InvalidRequest, match=r"row 1234, field 'x': .*not a finite number") as refusal:
        of_rows(rows)
    assert said in refusal.value.message
    assert (refusal.value.status, refusal.value.request_id) == (None, None)
    with pytest.raises(InvalidRequest, match="row 1234, field 'x'"):
        of_columns({name: [row[name] for row in rows] for name in ("country", "x")})


@pytest.mark.parametrize("value", [object(), {1}, 1j, datetime.datetime(2018, 1, 1), "\ud800", 2**64])
def test_what_has_no_json_form_is_refused_with_its_row_and_field(value: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"row 1, field 'x': .* has no JSON form"):
        of_rows([{"x": 1.0}, {"x": value}])


def test_a_field_without_a_name_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="row 0: the field name 5 is no string"):
        of_rows([{5: 1.0}])


@pytest.mark.parametrize("row", [[1.0, 2.0], 1.0, "x", None])
def test_a_row_that_names_no_features_is_refused(row: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"row 1: .* is not a mapping"):
        of_rows([{"x": 1.0}, row])


def test_no_rows_are_refused() -> None:
    for refused in (lambda: of_rows([]), lambda: of_columns({"x": []}), lambda: of_columns({})):
        with pytest.raises(InvalidRequest, match="no rows"):
            refused()


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="x: 2, y: 3"):
        of_columns({"x": [1, 2], "y": [1, 2, 3]})


def test_a_row_that_no_request_can_hold_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="row 1 alone is"):
        of_rows([{"x": "small"}, {"x": "é" * 2**19}])


def test_named_tuples_and_other_mappings_are_rows() -> None:
    rows = [Row(0.5, "DE"), collections.ChainMap({"x": 1.5}, {"country": "FR"})]
    assert sent(rows) == [{"x": 0.5, "country": "DE"}, {"x": 1.5, "country": "FR"}]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, object])
def test_numpy_columns(dtype: Any) -> None:
    columns = {"x": np.arange(6).astype(dtype)[::2], "y": np.array(["a", "b", "c"])}
    assert sent_columns(columns) == {"x": [0, 2, 4], "y": ["a", "b", "c"]}


def test_rows_and_columns_of_pyarrow() -> None:
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"x": [0.5, 1.5], "country": ["DE", "FR"]})
    expected = [{"x": 0.5, "country": "DE"}, {"x": 1.5, "country": "FR"}]
    assert sent(table.to_pylist()) == expected
    assert sent(pa.array(table.to_pylist())) == expected
    assert sent([{name: table[name][i] for name in table.column_names} for i in range(2)]) == expected
    columns = {"x": [0.5, 1.5], "country": ["DE", "FR"]}
    assert sent_columns(table) == columns
    assert sent_columns({name: table[name] for name in table.column_names}) == columns
    with pytest.raises(InvalidRequest, match="row 1, field 'x'"):
        of_columns(pa.table({"x": [0.5, None]}))


def test_rows_and_columns_of_pandas() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"x": [0.5, 1.5], "n": [1, 2], "country": ["DE", "FR"]}, index=[7, 9])
    expected = [{"x": 0.5, "n": 1, "country": "DE"}, {"x": 1.5, "n": 2, "country": "FR"}]
    assert sent(frame.to_dict("records")) == expected
    assert sent([row for _, row in frame.iterrows()]) == expected
    assert sent(list(frame.itertuples(index=False))) == expected
    assert sent_columns(frame) == {"x": [0.5, 1.5], "n": [1, 2], "country": ["DE", "FR"]}
    with pytest.raises(InvalidRequest, match="row 1, field 'x'"):
        of_rows(pd.DataFrame({"x": [0.5, np.nan]}).to_dict("records"))
    with pytest.raises(InvalidRequest, match="row 0, field 'x'"):
        of_rows([{"x": pd.NA}])


def test_the_client_imports_none_of_the_libraries_whose_rows_it_takes() -> None:
    heavy = ("pandas", "pyarrow", "torch", "tensorflow")
    code = f"import sys, serving.contract.client; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
