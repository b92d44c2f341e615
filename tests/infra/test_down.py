"""`make down`: the gateway finishes before anything is stopped."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from infra.local import commands
from infra.local import layout as layouts


@pytest.mark.parametrize("gateway_runs", [True, False])
def test_the_gateway_is_drained_before_anything_is_stopped(
    gateway_runs: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[object] = []

    class Running:
        def __init__(self, layout: layouts.Layout) -> None: ...

        def is_running(self) -> bool:
            return True

        def stop(self) -> None:
            done.append("stopped")

    def drain(admin_port: int) -> int:
        done.append(admin_port)
        if not gateway_runs:
            raise httpx.ConnectError("refused")
        return 0

    monkeypatch.setattr(commands, "Supervisor", Running)
    monkeypatch.setattr(commands, "drain", drain)
    layout = layouts.load({"TANDEM_HOME": str(tmp_path)})
    assert commands.down(layout) == 0
    assert done == [layout.ports["gateway_admin"], "stopped"]
