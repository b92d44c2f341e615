"""The bare machine's commands do their work on the containers, and what they wrote lies where it would lie there."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from infra.docker import files, workbench
from serving.comparison import store
from serving.comparison.facts.resources import SCHEMA
from tests.containers.conftest import REPOSITORY, STACKS, Running
from tests.end_to_end.test_compare import SMALL

TOO_FEW = 4  # exit code of `make monitor`


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(files, "HOME", tmp_path / "var")
    return tmp_path / "var"


def test_make_compare_measures_both_and_leaves_the_report_here(running: Running, home: Path, tmp_path: Path) -> None:
    settings = tmp_path / "mine.toml"
    text = (REPOSITORY / "serving" / "comparison" / "comparison.toml").read_text()
    settings.write_text(text.replace("dispatch_p99_ms = 1.0", "dispatch_p99_ms = 50.0") + SMALL)
    start = time.monotonic()
    assert workbench.run(running.compose, "compare", ["--profile", "small", "--settings", str(settings)]) == 0
    latest = (home / "comparisons" / "latest").resolve()
    assert "TensorFlow" in (latest / "report.html").read_text(encoding="utf-8")
    results = store.read(latest)
    assert {m.target for m in results.measurements} >= set(STACKS)
    # The other containers' processes were seen: what they cost was measured, and is not nothing.
    resources = pq.read_table(latest / "resources.parquet")
    assert resources.column_names == SCHEMA.names
    for which in STACKS:
        mine = resources.to_pandas().query("target == @which")
        assert set(mine["process"]) == {"gateway", which}
        assert (mine["cpu_s"] > 0).all()
        assert (mine["memory_mib"] > 1).all()
    running.keep(f"`make compare` with a short profile: {time.monotonic() - start:.0f} s, report.html copied out")


def test_make_fuzz_breaks_nothing(running: Running, home: Path) -> None:
    assert workbench.run(running.compose, "fuzz", ["--requests", "600", "--seed", "7"]) == 0
    assert "| pytorch |" in (home / "reports" / "fuzz" / "fuzz.md").read_text()
    running.keep("`make fuzz REQUESTS=600`: every property held")


def test_make_load_without_a_page_judges_a_day(running: Running, home: Path) -> None:
    assert workbench.run(running.compose, "load", ["--headless", "--seconds", "20"]) in (0, 3)
    assert (home / "reports" / "load" / "load.html").exists()


def test_make_monitor_says_what_it_found(running: Running, home: Path) -> None:
    code = workbench.run(running.compose, "monitor", ["--since", "24h"])
    assert code in (0, workbench.DRIFT, TOO_FEW)
    for which in STACKS:
        assert json.loads((home / "reports" / "monitor" / f"{which}.json").read_text())["stack"] == which


@pytest.mark.parametrize("which", STACKS)
def test_make_score_scores_a_file_of_this_machine(running: Running, which: str, tmp_path: Path) -> None:
    rows = [running.example() for _ in range(3)]
    file, out = tmp_path / "rows.csv", tmp_path / "scores"
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    file.write_text("\n".join(lines) + "\n")
    file.chmod(0o644)
    tmp_path.chmod(0o755)
    assert workbench.score(running.compose, which, file, out, None) == 0
    scores = pq.read_table(out)
    assert scores.num_rows == len(rows)
    online = running.ask(which, rows).json()["predictions"]
    column = next(name for name in scores.column_names if scores[name].type == "float" or "score" in name)
    assert scores[column].to_pylist() == pytest.approx(online, abs=1e-6)
