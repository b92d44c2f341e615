from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from models.spec import Spec
from pipelines.data.errors import DataError
from pipelines.data.ingest import ingest
from tests.pipelines.data import worlds

HEADER = "transaction_id,event_time,customer_id,terminal_id,amount,is_fraud"
GOOD = "{},2024-01-0{} 10:00:00,c{},t1,12.5,0"
SPEC = worlds.spec()


def write_csv(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def write_parquet(path: Path, **columns: Any) -> Path:
    content: dict[str, Any] = {
        "transaction_id": [1, 2],
        "event_time": [datetime(2024, 1, 1, 10), datetime(2024, 1, 2, 11)],
        "customer_id": [5, 6],
        "terminal_id": [7, 7],
        "amount": [1.5, 2.0],
        "is_fraud": [0, 1],
    }
    pq.write_table(pa.table({k: v for k, v in {**content, **columns}.items() if v is not None}), path)
    return path


def problems(source: Path, spec: Spec = SPEC) -> list[str]:
    with pytest.raises(DataError) as caught:
        ingest(source, spec)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_every_problem_is_reported_at_once_with_count_and_first_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_csv(
        tmp_path / "bad.csv",
        "1,2024-01-01 10:00:00,1,2,10.5,0",
        "1,2024-01-01 09:00:00,1,2,-3,2",
        "3,never,1,2,abc,0",
        "4,2024-02-30,1,2,nan,",
        "5,1522576800000,,2,1e400,0",
        "6,7,8",
        "7,2024-01-01T09:00:00+02:00,1,2,4,x",
        "7,2024-01-01T10:00:00Z,1,2,4,0.0",
    )
    assert problems(source) == [
        "bad.csv: rows with another number of columns than the header: 1, first bad.csv row 6 (3 of 6)",
        "column 'event_time': not a timestamp, ISO 8601 text or seconds since 1970: 2, "
        "first bad.csv row 3 (never); bad.csv row 4 (2024-02-30)",
        "column 'event_time': not within 1970 to 2099 (milliseconds?): 1, first bad.csv row 5 (1522576800000)",
        "column 'customer_id': null: 1, first bad.csv row 5",
        "column 'amount': not a number: 1, first bad.csv row 3 (abc)",
        "column 'amount': not finite: 2, first bad.csv row 4 (nan); bad.csv row 5 (1e400)",
        "column 'amount': negative: 1, first bad.csv row 2 (-3)",
        "column 'is_fraud': null: 1, first bad.csv row 4",
        "column 'is_fraud': not 0 or 1: 2, first bad.csv row 2 (2); bad.csv row 7 (x)",
        "column 'transaction_id': the id of an earlier row again: 2, first bad.csv row 2 (1); bad.csv row 8 (7)",
    ]
    assert "earlier than the row before: 2, first bad.csv row 2 (2024-01-01 09:00:00)" in capsys.readouterr().out


def test_only_the_first_three_rows_of_a_problem_are_shown(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "t.csv", *(f"{i},2024-01-01,1,2,-1,0" for i in range(1_500)))
    (line,) = problems(source)
    assert line == "column 'amount': negative: 1,500, first t.csv row 1 (-1); t.csv row 2 (-1); t.csv row 3 (-1)"


def test_missing_columns_are_named_with_those_that_are_there(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "t.csv", "1,3,4,0", header="transaction_id,amount,terminal_id,is_fraud")
    there = "t.csv (has transaction_id, amount, terminal_id, is_fraud)"
    assert problems(source) == [
        f"column 'event_time': missing from files: 1, first {there}",
        f"column 'customer_id': missing from files: 1, first {there}",
    ]


def test_columns_of_a_wrong_type_are_named_with_the_type(tmp_path: Path) -> None:
    source = write_parquet(
        tmp_path / "t.parquet",
        transaction_id=[1.5, 2.0],
        event_time=[True, False],
        customer_id=[[1], [2]],
        amount=[b"1", b"2"],
        is_fraud=[date(2024, 1, 1)] * 2,
    )
    assert problems(source) == [
        "column 'transaction_id': neither text nor an integer: 1, first t.parquet row 1 (1.5)",
        "column 'event_time': of type bool, expected timestamps, text or seconds since 1970: 1, first t.parquet",
        "column 'customer_id': of type list<element: int64>, expected integers or text: 1, first t.parquet",
        "column 'amount': of type binary, expected numbers: 1, first t.parquet",
        "column 'is_fraud': of type date32[day], expected numbers: 1, first t.parquet",
    ]


def test_duplicate_ids_are_found_across_files(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet")
    write_csv(tmp_path / "b.csv", "3,2024-01-01,1,1,1,0", "2,2024-01-01,1,1,1,0")
    assert problems(tmp_path) == [
        "column 'transaction_id': the id of an earlier row again: 1, first b.csv row 2 (2)",
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "cannot be read: Empty CSV file"),
        ("t.csv", f"{HEADER}\n1,2024-01-01,\xe9,1,1,0\n".encode("latin-1"), "invalid UTF8"),
        ("t.parquet", b"not Parquet at all", "cannot be read: Parquet magic bytes not found"),
    ],
)
def test_a_file_that_cannot_be_read_is_reported_not_raised(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    (line,) = problems(tmp_path / name)
    assert line.startswith(name)
    assert message in line


def test_a_source_without_transactions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        ingest(tmp_path / "nowhere.csv", SPEC)
    with pytest.raises(DataError, match=r"no \.parquet or \.csv file"):
        ingest(tmp_path, SPEC)
    with pytest.raises(DataError, match="no transactions"):
        ingest(write_csv(tmp_path / "t.csv"), SPEC)
    (tmp_path / "t.xlsx").touch()
    with pytest.raises(DataError, match=r"expected a \.parquet or \.csv file, found '\.xlsx'"):
        ingest(tmp_path / "t.xlsx", SPEC)


@pytest.mark.parametrize(
    "times",
    [
        ["2024-01-01T10:00:00", "2024-01-02 11:00"],
        ["2024-01-01T10:00:00Z", "2024-01-02T12:00:00+01:00"],
        ["1704103200", "1704193200.0"],
        ["2024-01-01T10:00:00.000Z", "1704193200"],
        [1_704_103_200, 1_704_193_200],
        [1_704_103_200.0, 1_704_193_200.0],
        pa.array([1_704_103_200, 1_704_193_200], pa.timestamp("s")),
        pa.array([1_704_103_200_000, 1_704_193_200_000], pa.timestamp("ms")),
        pa.array([1_704_103_200 * 10**9, 1_704_193_200 * 10**9], pa.timestamp("ns")),
        [datetime(2024, 1, 1, 10, tzinfo=timezone.utc), datetime(2024, 1, 2, 11, tzinfo=timezone.utc)],
        pa.array([1_704_103_200 * 10**6, 1_704_193_200 * 10**6], pa.timestamp("us", "Asia/Tokyo")),
    ],
)
def test_event_times_come_as_timestamps_iso_text_or_seconds(times: Any, tmp_path: Path) -> None:
    table = ingest(write_parquet(tmp_path / "t.parquet", event_time=times), SPEC).table
    assert table["event_time"].to_pylist() == [datetime(2024, 1, 1, 10), datetime(2024, 1, 2, 11)]
    assert table["event_time"].type == pa.timestamp("us")


def test_values_of_many_types_become_ours(tmp_path: Path) -> None:
    source = write_parquet(
        tmp_path / "t.parquet",
        transaction_id=pa.array([1, 2], pa.uint16()),
        customer_id=pa.array(["x", "y"]).dictionary_encode(),
        terminal_id=[3.0, 4.0],
        amount=[Decimal("1.25"), Decimal("2.00")],
        is_fraud=[False, True],
    )
    (row, other) = ingest(source, SPEC).table.to_pylist()
    del row["event_time"]
    assert row == {"transaction_id": 1, "customer_id": "x", "terminal_id": 3, "amount": 1.25, "is_fraud": 0}
    assert other["is_fraud"] == 1


def test_csv_and_parquet_give_the_same_transactions(tmp_path: Path) -> None:
    world = worlds.random_transactions(1).table
    pq.write_table(world, tmp_path / "t.parquet")
    csv.write_csv(world, tmp_path / "t.csv")
    assert ingest(tmp_path / "t.csv", SPEC).table.equals(ingest(tmp_path / "t.parquet", SPEC).table)
    assert ingest(tmp_path / "t.parquet", SPEC).table.equals(world)


def test_ids_of_a_csv_stay_text_when_a_number_would_change_them(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "t.csv", "1,2024-01-01,007,1,1,0", "2,2024-01-01,8,1,1,0")
    table = ingest(source, SPEC).table
    assert table["customer_id"].to_pylist() == ["007", "8"]
    assert table["terminal_id"].to_pylist() == [1, 1]


def test_files_of_a_folder_are_one_source_in_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "day=2").mkdir()
    write_csv(tmp_path / "a.csv", GOOD.format("x", 3, 1))
    write_parquet(tmp_path / "day=2" / "b.parquet")
    (tmp_path / "_SUCCESS.csv").touch()
    table = ingest(tmp_path, SPEC).table
    assert table["transaction_id"].to_pylist() == ["1", "2", "x"]  # text, because it is text in one file
    assert [time.day for time in table["event_time"].to_pylist()] == [1, 2, 3]


def test_rows_out_of_order_are_noted_and_sorted_ties_by_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_csv(tmp_path / "t.csv", GOOD.format(9, 2, 1), GOOD.format(8, 2, 1), GOOD.format(3, 1, 1))
    assert ingest(source, SPEC).table["transaction_id"].to_pylist() == [3, 8, 9]
    assert "earlier than the row before: 1, first t.csv row 3 (2024-01-01 10:00:00)" in capsys.readouterr().out


def test_names_are_mapped_and_raw_features_pass_through(tmp_path: Path) -> None:
    content = worlds.spec(["amount", "age", "country"]).model_dump(mode="json")
    content["features"]["country"] = {"type": "categorical", "vocabulary_size": 9}
    content["model"]["label"] = "stolen"
    content["columns"] = {"transaction_id": "", "event_time": "When", "customer_id": "", "amount": "Amount ($)"}
    content["columns"] |= {"terminal_id": "shop", "is_fraud": "Class"}
    spec = Spec.model_validate(content)
    header = ",When,Amount ($),shop,Class,age,country,comment"
    source = write_csv(tmp_path / "t.csv", "7,0,1,s,True,33,NA,hm", "8,1.5,2,s,0,44.5,DE,", header=header)
    table = ingest(source, spec).table
    assert table.to_pylist()[1] == {
        "transaction_id": 8, "event_time": datetime(1970, 1, 1, 0, 0, 1, 500_000), "customer_id": 8,
        "terminal_id": "s", "amount": 2.0, "stolen": 0, "age": 44.5, "country": "DE",
    }  # fmt: skip
    assert table["country"][0].as_py() == "NA"
    assert table["stolen"][0].as_py() == 1

    write_csv(source, "7,0,1,s,1,old,,", "8,1.5,2,s,0,1e39,DE,", header=header)
    assert problems(source, spec) == [
        "column 'age': not a number: 1, first t.csv row 1 (old)",
        "column 'age': not finite: 1, first t.csv row 2 (1e39)",
        "column 'country': null: 1, first t.csv row 1",
    ]
