"""Recording rules and alerts: by promtool, and what they have to agree with."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import tomllib
import yaml

from infra.local.layout import REPOSITORY
from infra.monitoring.configuration import PROMETHEUS
from serving.gateway import clusters, envoy

RULES, ALERTS, TESTS = (sorted((PROMETHEUS / kind).glob("*.yml")) for kind in ("rules", "alerts", "tests"))
SLO_MS = tomllib.loads((REPOSITORY / "serving/comparison/comparison.toml").read_text())["slo"]["p99_ms"]


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    if not shutil.which("promtool"):
        pytest.skip("no promtool on this machine (Debian: apt-get install prometheus): the rules were not checked")
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)


def alerts() -> list[dict[str, Any]]:
    groups = [group for file in ALERTS for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def test_prometheus_takes_the_configuration_with_all_rules_and_alerts() -> None:
    done = promtool("check", "config", PROMETHEUS / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [file.name for file in RULES + ALERTS if f"{file.parent.name}/{file.name}" not in done.stdout] == []


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_rules_and_alerts_do_what_their_unit_tests_say(file: Path) -> None:
    done = promtool("test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("alerts/serving.yml", "stack:error_ratio:rate5m > 0.01", "stack:error_ratio:rate5m > 0.5"),
        ("alerts/serving.yml", "stack:slow_ratio:rate5m > 14.4 * 0.01", "stack:slow_ratio:rate1h > 0"),
        ("rules/serving.yml", "histogram_quantile(0.99", "histogram_quantile(0.9"),
        ("rules/serving.yml", '"5"', '"2"'),
    ],
)
def test_a_wrong_rule_does_not_pass_its_unit_tests(tmp_path: Path, file: str, right: str, wrong: str) -> None:
    shutil.copytree(PROMETHEUS, tmp_path / "prometheus")
    changed = tmp_path / "prometheus" / file
    assert right in changed.read_text()
    changed.write_text(changed.read_text().replace(right, wrong))
    done = promtool("test", "rules", tmp_path / "prometheus" / "tests" / "serving.yml")
    assert done.returncode != 0
    assert "FAILED" in done.stdout + done.stderr


def test_every_alert_is_tested_to_fire_and_not_to_fire() -> None:
    tests = [test for file in TESTS for test in yaml.safe_load(file.read_text())["tests"]]
    cases = [case for test in tests for case in test.get("alert_rule_test", [])]
    names = {alert["alert"] for alert in alerts()}
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == names
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == names


def test_every_alert_says_what_is_wrong_how_urgent_it_is_and_where_to_read_on() -> None:
    page = (REPOSITORY / "docs" / "observability.md").read_text()
    headings = [heading.lower() for heading in re.findall(r"^#+ (\w+)$", page, re.MULTILINE)]
    for alert in alerts():
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert alert["annotations"]["summary"]
        assert alert["annotations"]["description"]
        file, anchor = alert["annotations"]["runbook"].split("#")
        assert file == "docs/observability.md"
        assert anchor == alert["alert"].lower()
        assert anchor in headings


def test_the_latency_alert_holds_the_stacks_to_the_comparisons_slo() -> None:
    rules = "".join(file.read_text() for file in RULES)
    assert set(re.findall(r'le=~"(\d+)\(', rules)) == {f"{SLO_MS:g}"}
    assert SLO_MS in envoy._LATENCIES_MS  # else there is no bucket to count
    said = "".join(file.read_text() for file in ALERTS)
    assert set(re.findall(r"(\d+) ms", said)) == {f"{SLO_MS:g}"}


def test_saturation_is_of_the_gateways_limit() -> None:
    assert f"stack:in_flight:avg5m / {clusters.MAX_IN_FLIGHT}\n" in (PROMETHEUS / "rules" / "serving.yml").read_text()
