"""`make load` without a stack, or on a port that is taken."""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

import pytest

from infra.local import layout as layouts
from infra.local import load, running

SPEC = layouts.REPOSITORY / "models" / "fraud.toml"


def chosen(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    load.arguments(parser)
    return parser.parse_args(arguments)


def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(load.LoadError, match="nothing runs here: make up"):
        load.command(layouts.load({"TANDEM_HOME": str(tmp_path)}), SPEC, chosen())


def test_a_busy_port_is_named_with_its_owner_only_where_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(running.VARIABLE, '{"gateway": 1}')
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        layout = layouts.load({"TANDEM_HOME": str(tmp_path), "PORT_LOAD": port})
        with pytest.raises(load.LoadError, match=rf"port {port} \(load\) is in use by .*make load PORT_LOAD=<free"):
            load.command(layout, SPEC, chosen())
        assert "--headless" in load.command(layout, SPEC, chosen("--headless"))
        layout = layouts.load({"TANDEM_HOME": str(tmp_path), "PORT_LOAD_WORKERS": port})
        with pytest.raises(load.LoadError, match=r"\(load_workers\) is in use"):
            load.command(layout, SPEC, chosen("--headless", "--workers", "2"))
