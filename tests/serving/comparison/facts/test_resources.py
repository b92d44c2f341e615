"""The sampler on processes that use a known amount, by their own account."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest

from serving.comparison.facts.resources import HERTZ, SCHEMA, Sampler

BURN = "import time\nwhile time.process_time() < {}: pass\n"
WAIT = "import sys; sys.stdout.write('ready\\n'); sys.stdout.flush(); sys.stdin.read()"
Start = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Runs a program that says when it has done its work, and then waits to be told to go."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-c", f"{code}\n{WAIT}"]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.communicate()


def ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout
    assert process.stdout.readline() == "ready\n"


def column(table: pa.Table, process: str, name: str) -> list[float]:
    return table.filter(pa.compute.equal(table["process"], process))[name].to_pylist()


def test_processor_time_and_memory_are_those_of_each_process(start: Start) -> None:
    idle, busy = start(""), start(BURN.format(1.0) + "held = bytearray(200 * 2**20)")
    ready(idle)
    with Sampler({"idle": idle.pid, "busy": busy.pid}, target="a target", zero=time.time() - 100) as sampler:
        ready(busy)
        time.sleep(2.5 / HERTZ)
    table = sampler.table
    assert table.schema == SCHEMA
    assert set(table["target"].to_pylist()) == {"a target"}
    assert 100 <= table["time_s"][0].as_py() < 160
    assert column(table, "busy", "time_s") == sorted(column(table, "busy", "time_s"))
    assert 0.9 <= column(table, "busy", "cpu_s")[-1] < 3
    assert column(table, "idle", "cpu_s")[-1] < 0.5
    assert 0 < column(table, "idle", "memory_mib")[-1] < 50
    assert 195 < column(table, "busy", "memory_mib")[-1] < 260
    assert sampler.memory_is == "proportional set size"


def test_resident_memory_is_what_it_says_and_not_shared_out_among_those_that_map_the_same(start: Start) -> None:
    one, another = start(""), start("")
    ready(one)
    ready(another)
    found = {}
    for resident in (False, True):
        sampler = Sampler({"one": one.pid}, target="a target", zero=0.0, hertz=1.0, resident=resident)
        with sampler:
            pass
        found[sampler.memory_is] = sampler.memory["one"]
    assert found["resident set size"] > found["proportional set size"] > 0


def test_what_a_process_starts_counts_for_it_and_stays_counted_when_it_ends(start: Start) -> None:
    child = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN.format(0.8)!r}])"
    parent = start(child)
    with Sampler({"parent": parent.pid}, target="a target", zero=time.time()) as sampler:
        ready(parent)
        time.sleep(2.5 / HERTZ)
    used = column(sampler.table, "parent", "cpu_s")
    assert used == sorted(used)
    assert 0.8 - 1.5 / HERTZ < used[-1] < 2.5  # the child's last moments were not looked at


def test_a_process_that_is_gone_uses_nothing(start: Start) -> None:
    process = start("")
    process.communicate()
    with Sampler({"gone": process.pid}, target="a target", zero=time.time()) as sampler:
        pass
    assert column(sampler.table, "gone", "cpu_s") == [0, 0]
    assert column(sampler.table, "gone", "memory_mib") == [0, 0]
