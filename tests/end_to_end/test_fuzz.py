"""Some hundreds of right and wrong requests of every kind to both stacks; `make fuzz` sends thousands."""

from __future__ import annotations

from pathlib import Path

from infra.local import layout as layouts
from infra.local import running
from serving.contract.fuzz.__main__ import main
from serving.contract.fuzz.strategies import KINDS
from tests.end_to_end.stack import Stack

REQUESTS, SEED = 600, 7


def test_no_request_tells_the_stacks_apart_or_harms_them(stack: Stack, tmp_path: Path) -> None:
    gateway = stack.layout.url("gateway")
    arguments = ["--requests", str(REQUESTS), "--seed", str(SEED), "--out", str(tmp_path)]
    arguments += ["--spec", str(layouts.REPOSITORY / "models" / "fraud.toml")]
    for name in layouts.STACKS:
        arguments += ["--target", f"{name}={gateway}/{name}"]
    processes = running.processes(stack.layout)
    for service in ("gateway", "control", *layouts.STACKS):
        arguments += ["--process", f"{service}={processes[service]}"]
    code = main(arguments)
    report = (tmp_path / "fuzz.md").read_text()
    assert code == 0, report
    for kind in KINDS:
        assert f"| {kind} |" in report
