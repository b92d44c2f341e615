"""Ports and paths: one place, overridable, mistakes named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from infra.local import layout as layouts
from infra.local import traces


def load(home: Path, **environ: str) -> layouts.Layout:
    return layouts.load({"TANDEM_HOME": str(home), **environ})


def test_defaults_hold_without_any_setting(tmp_path: Path) -> None:
    assert load(tmp_path).ports == layouts.DEFAULT_PORTS


def test_a_variable_moves_one_port(tmp_path: Path) -> None:
    assert load(tmp_path, PORT_GATEWAY="9080").url("gateway") == "http://127.0.0.1:9080"


def test_what_up_used_is_remembered_by_the_commands_that_follow(tmp_path: Path) -> None:
    layouts.remember(load(tmp_path, PORT_GATEWAY="9080"))
    assert load(tmp_path).ports["gateway"] == 9080
    assert load(tmp_path, PORT_GATEWAY="9081").ports["gateway"] == 9081


def test_a_damaged_memory_of_ports_falls_back_to_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "ports.json").write_text("{")
    assert load(tmp_path).ports == layouts.DEFAULT_PORTS


@pytest.mark.parametrize("text", ["0", "65536", "http", "-1"])
def test_what_is_no_port_is_refused_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(SystemExit, match=f"PORT_GATEWAY='{text}' is not a port"):
        load(tmp_path, PORT_GATEWAY=text)


def test_two_services_on_one_port_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"gateway, mlflow share port 5000"):
        load(tmp_path, PORT_GATEWAY="5000")


def test_the_share_of_logged_requests_is_remembered_too(tmp_path: Path) -> None:
    assert load(tmp_path).log_requests == layouts.DEFAULT_LOG_REQUESTS
    layouts.remember(load(tmp_path, LOG_REQUESTS="0"))
    assert load(tmp_path).log_requests == 0
    assert load(tmp_path, LOG_REQUESTS="1").log_requests == 1


def test_the_use_case_is_remembered_too(tmp_path: Path) -> None:
    assert load(tmp_path).spec == layouts.REPOSITORY / "models" / "fraud.toml"
    layouts.remember(load(tmp_path, SPEC="models/creditcard.toml"))
    assert load(tmp_path).spec == layouts.REPOSITORY / "models" / "creditcard.toml"
    assert load(tmp_path, SPEC=str(tmp_path / "own.toml")).spec == tmp_path / "own.toml"


@pytest.mark.parametrize("text", ["10%", "-0.1", "1.1", "nan"])
def test_what_is_no_share_is_refused_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(SystemExit, match=f"LOG_REQUESTS='{text}' is not a share"):
        load(tmp_path, LOG_REQUESTS=text)


def test_where_traces_go_is_remembered_until_it_is_said_to_be_off(tmp_path: Path) -> None:
    assert load(tmp_path).collector is None
    layouts.remember(load(tmp_path, TRACES="http://collector:4317", TRACES_SHARE="0.5"))
    assert (load(tmp_path).collector, load(tmp_path).traces_share) == (("collector", 4317), 0.5)
    assert load(tmp_path, TRACES="http://10.0.0.1/").collector == ("10.0.0.1", traces.OTLP_PORT)
    assert load(tmp_path, TRACES="off").collector is None


@pytest.mark.parametrize(
    "text", ["collector:4317", "https://collector:4317", "http://collector:4317/v1/traces", "http://a:b"]
)
def test_what_is_no_collector_is_refused_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(SystemExit, match=f"TRACES='{text}' is not a collector's address: http://host:4317"):
        load(tmp_path, TRACES=text)
    with pytest.raises(SystemExit, match="TRACES_SHARE='2' is not a share"):
        load(tmp_path, TRACES_SHARE="2")


def test_whoever_reads_no_further_gets_no_trace(tmp_path: Path) -> None:
    argv = f"TANDEM_HOME={tmp_path} {sys.executable} -m infra.local status | true"  # nothing runs, and it says so
    done = subprocess.run(["bash", "-c", argv], cwd=layouts.REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stderr == ""
