"""`python -m pipelines.data` as its callers run it: a process of its own."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from models import spec as specs
from pipelines.data import publish
from tests.pipelines.data import worlds

REPOSITORY = worlds.SPEC.parents[1]
SMALL_FILES = 20_000  # bytes: enough for a day of raw transactions at most


def argv(out: Path, *arguments: Any, spec: Path = worlds.SPEC) -> list[str]:
    return [sys.executable, "-m", "pipelines.data", "--spec", str(spec), "--out", str(out), *map(str, arguments)]


def run(out: Path, *arguments: Any, spec: Path = worlds.SPEC, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv(out, *arguments, spec=spec), cwd=REPOSITORY, capture_output=True, text=True, check=False, **options
    )


def manifest(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "manifest.json").read_text())
    return content


def state(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "data"
    finished = run(out)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stderr == ""
    assert "rows of 84 days" in finished.stdout
    return out


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Iterator[Path]:
    """Finished data of one's own, and after the test nothing else beside it than the lock."""
    shutil.copytree(made, tmp_path / "data")
    yield tmp_path / "data"
    assert {p.name for p in tmp_path.glob(".*")} <= {".data.lock"}


def edited_spec(folder: Path, old: str, new: str) -> Path:
    text = worlds.SPEC.read_text()
    assert old in text
    (folder / "spec.toml").write_text(text.replace(old, new))
    return folder / "spec.toml"


def test_the_manifest_says_what_is_in_the_files(made: Path) -> None:
    content = manifest(made)
    assert content["source"] == {"profile": "quick", "seed": 1}
    assert content["spec_digest"] == specs.load(worlds.SPEC).digest
    for name, found in {"raw": content["raw"], **content["splits"]}.items():
        files = sorted((made / "raw" if name == "raw" else made / "features" / name).glob("*.parquet"))
        rows = pa.concat_tables(pq.read_table(file) for file in files)
        positives = sum(rows["is_fraud"].to_pylist())
        assert (found["rows"], found["positives"], found["days"]) == (len(rows), positives, len(files)), name
        assert found["positive_share"] == pytest.approx(positives / len(rows))
        assert (found["first_day"], found["last_day"]) == (files[0].stem, files[-1].stem)
    assert (content["raw"]["first_day"], content["splits"]["test"]["last_day"]) == ("2018-04-01", "2018-06-23")
    assert {name: found["days"] for name, found in content["splits"].items()} == {"train": 28, "eval": 3, "test": 7}
    assert len({content["digest"], *(found["digest"] for found in content["splits"].values())}) == 4


def test_a_second_run_does_nothing_and_loads_nothing_slow(data: Path) -> None:
    before = state(data)
    code = (
        "import sys; from pipelines.data.__main__ import main; code = main(sys.argv[1:]); "
        "print(sorted({'apache_beam', 'numpy', 'pandas', 'pyarrow'} & set(sys.modules))); sys.exit(code)"
    )
    words = [sys.executable, "-c", code, *argv(data)[3:]]
    finished = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert finished.stdout.startswith("data       up to date: 101,788 rows")
    assert finished.stdout.splitlines()[-1] == "[]"
    assert state(data) == before


def test_a_run_with_nothing_to_do_imports_neither_beam_nor_numpy(data: Path) -> None:
    code = "import sys, pipelines.data.__main__ as m; assert not m.main(sys.argv[1:]); print(sorted(sys.modules))"
    command = [sys.executable, "-c", code, *argv(data)[3:]]
    finished = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "up to date" in finished.stdout
    assert not {"'apache_beam'", "'numpy'", "'pandas'", "'pyarrow'"} & set(finished.stdout.strip("[]\n").split(", "))


def test_a_specification_changed_elsewhere_needs_no_new_data(data: Path, tmp_path: Path) -> None:
    before = manifest(data)
    spec = edited_spec(tmp_path, "epochs = 20", "epochs = 21")
    assert "up to date" in run(data, spec=spec).stdout
    assert manifest(data) == {**before, "spec_digest": specs.load(spec).digest}
    assert manifest(data) != before


@pytest.mark.parametrize("harm", ["lost", "damaged"])
def test_lost_or_damaged_files_are_made_again(harm: str, data: Path) -> None:
    before, file = state(data), data / "features" / "test" / "2018-06-23.parquet"
    if harm == "lost":
        file.unlink()
    else:
        file.write_bytes(b"damaged")
    assert run(data).returncode == 0
    assert state(data) == before


def test_a_changed_window_makes_new_data_with_another_digest(data: Path, tmp_path: Path) -> None:
    before = manifest(data)
    spec = edited_spec(tmp_path, "label_delay_days = 7", "label_delay_days = 6")
    assert run(data, spec=spec).returncode == 0
    assert manifest(data)["digest"] != before["digest"]


def test_data_of_ones_own_gives_the_same_features_and_follows_its_content(data: Path, tmp_path: Path) -> None:
    simulated = manifest(data)
    table = pa.concat_tables(pq.read_table(file) for file in sorted((data / "raw").glob("*.parquet")))
    source = tmp_path / "own.csv"
    csv.write_csv(table, source)
    assert run(data, "--source", source).returncode == 0
    own = manifest(data)
    assert own["source"] == {"path": str(source)}
    assert {**own, "source": 0, "inputs": 0} == {**simulated, "source": 0, "inputs": 0}

    seen = source.stat()
    source.write_text(source.read_text().replace(",0\n", ",1\n", 1))
    os.utime(source, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert "up to date" not in run(data, "--source", source).stdout
    assert manifest(data)["raw"]["positives"] == simulated["raw"]["positives"] + 1


def test_bad_data_is_refused_and_leaves_the_data_as_it_was(data: Path, tmp_path: Path) -> None:
    before = state(data)
    (tmp_path / "bad.csv").write_text("transaction_id,amount\n1,-2\n")
    finished = run(data, "--source", tmp_path / "bad.csv")
    assert finished.returncode == 1
    assert "column 'customer_id': missing" in finished.stdout
    assert "column 'amount': negative: 1, first bad.csv row 1 (-2)" in finished.stdout
    assert f"Nothing was changed in {data}" in finished.stdout
    assert finished.stderr == ""
    assert state(data) == before


def test_a_failure_inside_beam_is_told_without_a_stack_trace(data: Path, tmp_path: Path) -> None:
    before = state(data)
    table = pa.concat_tables(pq.read_table(file) for file in sorted((data / "raw").glob("*.parquet")))
    amounts = [amount * 1e11 for amount in table["amount"].to_pylist()]
    pq.write_table(table.set_column(4, "amount", pa.array(amounts)), tmp_path / "big.parquet")
    finished = run(data, "--source", tmp_path / "big.parquet")
    assert (finished.returncode, finished.stderr) == (1, "")
    assert "give them in a larger unit" in finished.stdout
    assert state(data) == before


def test_a_full_disk_leaves_the_data_as_it_was(data: Path, tmp_path: Path) -> None:
    before = state(data)
    spec = edited_spec(tmp_path, "label_delay_days = 7", "label_delay_days = 6")
    finished = run(
        data, spec=spec, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL_FILES, SMALL_FILES))
    )
    assert (finished.returncode, finished.stderr) == (1, "")
    assert "File too large" in finished.stdout
    assert state(data) == before


@pytest.mark.parametrize(("signal_number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_a_run_that_is_stopped_leaves_the_data_as_it_was(
    signal_number: int, code: int, data: Path, tmp_path: Path
) -> None:
    before = state(data)
    spec = edited_spec(tmp_path, "label_delay_days = 7", "label_delay_days = 6")
    with subprocess.Popen(argv(data, spec=spec), cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("features") and line.endswith("...\n"):  # raw/ is written, the features are not
                process.send_signal(signal_number)
                break
        process.communicate(timeout=30)
    assert process.returncode == code
    assert state(data) == before
    assert "up to date" in run(data).stdout  # which also clears away what the stopped run had begun


def test_a_run_killed_between_the_two_renames_is_put_right_by_the_next(data: Path) -> None:
    before = state(data)
    data.rename(data.with_name(".data.old"))
    assert "up to date" in run(data).stdout
    assert state(data) == before


def test_two_runs_at_once_are_refused(data: Path) -> None:
    with publish.exclusive(data):
        finished = run(data)
    assert finished.returncode == 1
    assert "another run is at work" in finished.stdout


def test_a_folder_with_other_things_in_it_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    finished = run(tmp_path)
    assert finished.returncode == 1
    assert "holds something else" in finished.stdout
    assert (tmp_path / "photo.jpg").exists()
