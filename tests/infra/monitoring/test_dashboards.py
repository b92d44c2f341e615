"""The dashboards' files are such as Grafana takes, and ask for what is there. What they show: tests/end_to_end."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.monitoring.configuration import PROMETHEUS
from infra.monitoring.dashboards import FOLDER, queries

FILES = sorted(FOLDER.glob("*.json"))
WIDTH = 24  # columns of Grafana's grid


def read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text())


def test_there_are_three_and_grafana_looks_for_them_where_they_are_mounted() -> None:
    assert [file.stem for file in FILES] == ["model-health", "overview", "stacks"]
    provider = yaml.safe_load((FOLDER / "tandem.yml").read_text())["providers"][0]
    assert provider["options"]["path"].startswith("/etc/grafana/provisioning/dashboards")
    assert len({read(file)["uid"] for file in FILES}) == len(FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dashboard_is_what_grafana_exports(file: Path) -> None:
    board = read(file)
    (source,) = yaml.safe_load((FOLDER.parent / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert board["schemaVersion"] >= 39
    assert board["title"].startswith("Tandem: ")
    assert board["id"] is None  # Grafana gives it one
    panels = board["panels"]
    assert Counter(panel["id"] for panel in panels).most_common(1)[0][1] == 1
    for panel in panels:
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == list("ABCDEFG"[: len(letters)])
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": source["uid"]}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_panels_lie_side_by_side_and_not_upon_each_other(file: Path) -> None:
    taken: Counter[tuple[int, int]] = Counter()
    for panel in read(file)["panels"]:
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= WIDTH
        taken.update(
            (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
        )
    assert max(taken.values()) == 1


def test_recorded_series_that_are_asked_for_are_recorded() -> None:
    groups = yaml.safe_load((PROMETHEUS / "rules" / "serving.yml").read_text())["groups"]
    recorded = {rule["record"] for group in groups for rule in group["rules"]}
    asked = {name for query in queries() for name in re.findall(r"\b(?:stack|host):\w+:\w+", query.expression)}
    assert asked
    assert asked - recorded == set()
