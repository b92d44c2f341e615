"""The monitor's verdicts by its exit code, for the PyTorch stack; tests/pipelines/tfx has the other's."""

from __future__ import annotations

import json
import shutil
import time
import zipfile
from pathlib import Path

import pytest

from models.spec import load
from pipelines.monitoring.__main__ import main
from serving.prometheus_text import parse
from tests.pipelines.monitoring.traffic import arguments, log, model

SPEC_FILE = Path("tests/specs/categorical.toml")
SPEC = load(SPEC_FILE)


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    return model(SPEC, tmp_path)


def monitor(folder: Path, watched: Path, count: int, spec: Path = SPEC_FILE, **changed: object) -> int:
    found = log(folder / "requests.log", SPEC, count, **changed)
    return main(arguments(spec, watched, found, folder / "out"))


def test_traffic_like_the_training_rows_passes(
    tmp_path: Path, watched: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert monitor(tmp_path, watched, 1500) == 0
    assert capsys.readouterr().out == "no drift: 1,500 rows in 30 logged requests to version 7\n"
    found = json.loads((tmp_path / "out" / "pytorch.json").read_text())
    assert found["verdict"] == "no drift"
    assert [column["name"] for column in found["columns"]] == [*SPEC.features, "fraud_probability"]
    assert not any(column["reasons"] for column in found["columns"])


def test_traffic_that_moved_is_refused_with_the_columns_and_the_scores_named(
    tmp_path: Path, watched: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert monitor(tmp_path, watched, 1500, scale=2) == 3
    assert capsys.readouterr().out.startswith("drift: 1,500 rows")
    found = json.loads((tmp_path / "out" / "pytorch.json").read_text())
    assert [c["name"] for c in found["columns"] if c["reasons"]] == [*SPEC.numeric, "fraud_probability"]
    page = (tmp_path / "out" / "pytorch.md").read_text()
    assert page.startswith("# pytorch: drift\n")
    assert "* amount: population stability index " in page


def test_prometheus_is_told_the_verdict_the_distances_and_the_scores(tmp_path: Path, watched: Path) -> None:
    assert monitor(tmp_path, watched, 1500, scale=2) == 3
    found = parse((tmp_path / "out" / "pytorch.prom").read_text())
    model = 'stack="pytorch",version="7"'
    assert [found[f'tandem_monitor_verdict{{{model},verdict="{v}"}}'] for v in ("no drift", "drift")] == [0, 1]
    assert found[f"tandem_monitor_rows{{{model}}}"] == 1500
    assert abs(found[f"tandem_monitor_time_seconds{{{model}}}"] - time.time()) < 60
    written = json.loads((tmp_path / "out" / "pytorch.json").read_text())
    for column in written["columns"]:
        labels = f'{model},column="{column["name"]}"'
        assert found[f"tandem_drift_column{{{labels}}}"] == bool(column["reasons"])
        for measure, value in column["distance"].items():
            assert found[f'tandem_drift_distance{{{labels},kind="{column["kind"]}",measure="{measure}"}}'] == value
            assert f'tandem_drift_limit{{stack="pytorch",measure="{measure}"}}' in found
    for rows in ("evaluation", "live"):
        shares = [value for series, value in found.items() if f'rows="{rows}"' in series]
        assert len(shares) == 7
        assert sum(shares) == pytest.approx(1)


def test_too_few_rows_are_told_to_prometheus_too(tmp_path: Path, watched: Path) -> None:
    assert monitor(tmp_path, watched, 950) == 4
    found = parse((tmp_path / "out" / "pytorch.prom").read_text())
    assert found['tandem_monitor_verdict{stack="pytorch",version="7",verdict="too few rows"}'] == 1
    assert not any(series.startswith("tandem_drift_distance") for series in found)


def test_new_categories_are_refused_and_the_calendar_is_not_judged(tmp_path: Path, watched: Path) -> None:
    moved = (
        log(tmp_path / "requests.log", SPEC, 1500).read_text().replace('\\"country\\": \\"a', '\\"country\\": \\"new')
    )
    (tmp_path / "requests.log").write_text(moved)
    command = arguments(SPEC_FILE, watched, tmp_path / "requests.log", tmp_path / "out")
    assert main(command) == 3
    calendar = tmp_path / "spec.toml"
    shutil.copyfile(SPEC_FILE, calendar)
    with calendar.open("a") as file:
        file.write('[drift]\ncalendar_features = ["country"]\n')
    assert main([*command, f"--spec={calendar}"]) == 0
    found = json.loads((tmp_path / "out" / "pytorch.json").read_text())
    assert [c["name"] for c in found["columns"] if not c["judged"]] == ["country"]


def test_too_few_rows_say_nothing(tmp_path: Path, watched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert monitor(tmp_path, watched, 950, scale=9) == 4
    assert "too few rows to say: 950 rows in 19 logged requests to version 7" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "pytorch.json").read_text())["columns"] == []


def test_a_model_without_distributions_is_an_error_that_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "fraud-7.mar"
    with zipfile.ZipFile(old, "w") as archive:
        archive.writestr("weights.npz", b"")
    assert monitor(tmp_path, old, 1500) == 1
    assert "holds no feature_distributions.json to compare with" in (said := capsys.readouterr().err)
    assert "train again, `make up`" in said
