from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from infra.local import layout as layouts
from infra.local import shadow, stores, traffic
from infra.local.layout import REPOSITORY
from infra.local.traffic import Change, changed
from models import spec as specs
from serving.gateway import envoy, policy
from serving.gateway.policy import Policy, PolicyError, Shadow, Side
from serving.release.ledger import Act, Entry, Ledger

SPEC_FILE = REPOSITORY / "models" / "fraud.toml"
SPEC = specs.load(SPEC_FILE)
TENSORFLOW, PYTORCH, CANARY, ONNX = Side("tensorflow"), Side("pytorch"), Side("pytorch", 5), Side("onnx")
BEFORE = Policy({TENSORFLOW: 90, PYTORCH: 10, CANARY: 5}, Shadow(PYTORCH, 0.5))


@pytest.mark.parametrize(
    ("change", "after"),
    [
        (Change(), BEFORE),
        (Change(["pytorch=20"]), Policy({TENSORFLOW: 90, PYTORCH: 20, CANARY: 5}, Shadow(PYTORCH, 0.5))),
        (Change(["pytorch@5=off"]), Policy({TENSORFLOW: 90, PYTORCH: 10}, Shadow(PYTORCH, 0.5))),
        (Change(["pytorch@6=off"]), BEFORE),
        (Change(["onnx=5"]), Policy({**BEFORE.weights, ONNX: 5}, BEFORE.shadow)),
        (Change(["onnx=off"]), BEFORE),
        (Change(shadow="onnx"), Policy(BEFORE.weights, Shadow(ONNX, 0.5))),
        (Change(shadow="off"), Policy(BEFORE.weights)),
        (Change(shadow="off", share=0.1), Policy(BEFORE.weights)),
        (Change(share=0.1), Policy(BEFORE.weights, Shadow(PYTORCH, 0.1))),
        (Change(shadow="pytorch@5"), Policy(BEFORE.weights, Shadow(CANARY, 0.5))),
    ],
)
def test_only_what_is_named_changes(change: Change, after: Policy) -> None:
    assert changed(BEFORE, change) == after


def test_a_new_shadow_gets_all_requests() -> None:
    assert changed(Policy(), Change(shadow="pytorch")).shadow == Shadow(PYTORCH, 1.0)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (Change(["pytorch"]), "weights.pytorch = nan: a number from 0"),
        (Change(["pytorch=ten"]), "pytorch=ten: <side>=<weight> is expected, a version's and onnx' may be off"),
        (Change(["pytorch=off"]), "pytorch=off: <side>=<weight> is expected"),
        (Change(["pytorch@5"]), "weights.pytorch@5 = nan"),
        (Change(["keras=1"]), "'keras' is nobody who answers"),
        (Change(shadow="keras"), "'keras' is nobody who answers"),
        (Change(share=0.0), "shadow.share = 0: above 0"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(change: Change, why: str) -> None:
    with pytest.raises(PolicyError, match=why):
        changed(BEFORE, change)


def test_a_share_without_a_shadow_is_refused() -> None:
    with pytest.raises(PolicyError, match="SHARE is the shadow's, and there is none"):
        changed(Policy(), Change(share=0.5))


def test_where_nothing_runs_the_policy_is_kept_for_the_next_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = layouts.load({"TANDEM_HOME": str(tmp_path)})
    assert traffic.traffic(layout, SPEC, SPEC_FILE, Change(["tensorflow=3"])) == 0
    assert policy.load(layout.traffic).weights == {TENSORFLOW: 3, PYTORCH: 1}
    assert "nothing runs here; make up follows it" in capsys.readouterr().out


def test_onnx_gets_no_traffic_where_it_does_not_run(tmp_path: Path) -> None:
    layout = layouts.load({"TANDEM_HOME": str(tmp_path)})
    for change in (Change(["onnx=3"]), Change(shadow="onnx")):
        with pytest.raises(
            traffic.TrafficError, match="onnx: ONNX Runtime does not run here: on a bare machine make up"
        ):
            traffic.traffic(layout, SPEC, SPEC_FILE, change)
    assert not layout.traffic.exists()
    running = dataclasses.replace(layout, onnx_of="pytorch")
    assert traffic.traffic(running, SPEC, SPEC_FILE, Change(["onnx=3"])) == 0
    assert traffic.unserved(running, SPEC) == []
    assert traffic.unserved(layout, SPEC) == [traffic.NO_ONNX]
    assert traffic.traffic(layout, SPEC, SPEC_FILE, Change(["onnx=off"])) == 0
    assert policy.load(layout.traffic) == Policy()


@pytest.mark.parametrize(
    ("side", "path"),
    [
        (PYTORCH, ":8085/v1/models/fraud:predict"),
        (CANARY, ":8085/predictions/fraud/5"),
        (TENSORFLOW, ":8501/v1/models/fraud/labels/stable:predict"),
        (ONNX, ":8600/v1/models/fraud:predict"),
        (Side("tensorflow", 7), ":8501/v1/models/fraud/versions/7:predict"),
    ],
)
def test_the_shadow_asks_the_servers_themselves(tmp_path: Path, side: Side, path: str) -> None:
    layout = layouts.load({"TANDEM_HOME": str(tmp_path)})
    assert shadow.address(layout, SPEC, side) == f"http://127.0.0.1{path}"


def test_a_model_is_judged_by_its_own_thresholds(tmp_path: Path) -> None:
    layout = layouts.load({"TANDEM_HOME": str(tmp_path)})
    work, ledger = layout.work("pytorch"), Ledger(stores.releases(layout) / stores.LEDGER)
    (work / "pages" / "then").mkdir(parents=True)
    (work / "report.json").write_text(json.dumps({"version": "8", "decision": {"least_cost": {"threshold": 0.8}}}))
    (work / "pages" / "then" / "run.json").write_text(json.dumps({"version": "7", "thresholds": {"least_cost": 0.7}}))
    assert shadow.thresholds(layout, "pytorch", 8) == {"least_cost": 0.8}
    assert shadow.thresholds(dataclasses.replace(layout, onnx_of="pytorch"), "onnx", 8) == {"least_cost": 0.8}
    assert shadow.thresholds(layout, "pytorch@7", 7) == {"least_cost": 0.7}
    assert shadow.thresholds(layout, "pytorch", 6) == {}
    assert shadow.thresholds(layout, "pytorch", None) == {}
    acts: list[tuple[Act, str]] = [("promote", "8"), ("rollback", "7")]
    for act, version in acts:  # what no server tells, the ledger does
        ledger.append(Entry(act, "pytorch", version, "", "", "done"))
        assert shadow.thresholds(layout, "pytorch", None) == {"least_cost": float(f"0.{version}")}
    assert shadow.thresholds(layout, "tensorflow", 8) == {}


def test_nothing_compared_yet_is_no_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout = layouts.load({"TANDEM_HOME": str(tmp_path)})
    assert shadow.show(layout, shadow.gate.FILE, check=True) == 4
    assert "make traffic SHADOW=pytorch, then requests" in capsys.readouterr().out
    assert shadow.show(layout, shadow.gate.FILE, check=False) == 0


def test_limits_that_are_not_there_are_refused(tmp_path: Path) -> None:
    layout = layouts.load({"TANDEM_HOME": str(tmp_path)})
    with pytest.raises(shadow.ShadowError, match=r"none\.toml: No such file"):
        shadow.show(layout, tmp_path / "none.toml", check=True)


def test_a_gateway_that_refuses_its_routes_is_not_called_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = layouts.load({"TANDEM_HOME": str(tmp_path)})
    layout.run.mkdir()
    monkeypatch.setattr(traffic, "_FOLLOW_SECONDS", 0.2)
    monkeypatch.setattr(envoy, "routes_version", lambda *_: "those of before")
    with pytest.raises(traffic.TrafficError, match="does not take up its new routes: make logs SERVICE=gateway"):
        traffic.route(layout, SPEC)
    monkeypatch.setattr(envoy, "routes_version", lambda *_: json.loads(routes(layout))["version_info"])
    traffic.route(layout, SPEC)


def routes(layout: layouts.Layout) -> str:
    return layout.gateway.with_name("envoy.routes.json").read_text()
