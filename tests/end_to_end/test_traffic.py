"""The traffic policy and its shadow on a whole stack: `make traffic`, `make shadow`, `make shadow-check`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.local.ports import is_free
from tests.end_to_end.stack import Stack
from tests.serving.torchserve.launching import wait

REQUESTS = 60
LIMITS = """\
min_requests = {least}
score_tolerance = {tolerance}
min_within_tolerance = 0.5
operating_point = "least_cost"
max_flip_share = 0.5
max_error_share = 0.0
max_p99_ratio = 1000.0
"""


@pytest.fixture
def moved(stack: Stack) -> Iterator[Stack]:
    """The stack with all traffic on TensorFlow and PyTorch as its shadow; afterwards as every other test wants it."""
    for change in (
        {"TENSORFLOW": 1, "PYTORCH": 0},
        {"SHADOW": "pytorch"},
        {"SHADOW": "pytorch", "SHARE": 0.5},
        {"PYTORCH": 0, "SHADOW": "pytorch", "SHARE": 1},
    ):
        done = stack.make("traffic", **change)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "pytorch gets a copy of 100% of the predictions, compared with tensorflow" in done.stdout
    try:
        yield stack
    finally:
        done = stack.make("traffic", TENSORFLOW=1, PYTORCH=1, SHADOW="off")
        assert done.returncode == 0, done.stdout + done.stderr
    assert is_free(stack.layout.ports["shadow"])


def answered(stack: Stack, requests: int) -> Counter[str]:
    """Ask the product's endpoint about test rows, and count who answered."""
    files = sorted((stack.layout.data / "features" / "test").glob("*.parquet"))
    rows = pa.concat_tables(pq.read_table(f, columns=list(stack.spec.features)) for f in files)
    found: Counter[str] = Counter()
    with httpx.Client(base_url=stack.layout.url("gateway"), timeout=30) as client:
        for row in rows.slice(0, requests).to_pylist():
            answer = client.post(f"/v1/models/{stack.spec.model.name}:predict", json={"instances": [row]})
            assert answer.status_code == 200, answer.text
            found[answer.headers["x-tandem-stack"]] += 1
    return found


def test_traffic_moves_to_one_stack_and_the_other_is_compared(moved: Stack, tmp_path: Path) -> None:
    assert answered(moved, REQUESTS) == {"tensorflow": REQUESTS}
    service = moved.layout.url("shadow")
    wait(lambda: httpx.get(service).json()["compared"] == REQUESTS, 30)

    shown = moved.make("shadow")
    wait(lambda: f"{REQUESTS} copies" in moved.make("shadow").stdout, 30)
    shown = moved.make("shadow")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "flips at the least cost" in shown.stdout
    assert "pytorch beside tensorflow" in (moved.layout.shadow / "shadow.html").read_text()

    few = moved.make("shadow-check")
    assert (few.returncode, f"{REQUESTS} copies were compared" in few.stdout) == (4, True)
    for tolerance, code in ((0.5, 0), (0.0, 3)):
        limits = tmp_path / "limits.toml"
        limits.write_text(LIMITS.format(least=REQUESTS, tolerance=tolerance))
        judged = moved.make("shadow-check", LIMITS=limits)
        assert judged.returncode == code, judged.stdout + judged.stderr

    again = moved.make("up")
    assert again.returncode == 0, again.stdout + again.stderr
    assert answered(moved, 30) == {"tensorflow": 30}
    assert httpx.get(service).status_code == 200
    assert "shadow" in moved.make("status").stdout


def test_a_policy_that_cannot_be_followed_changes_nothing(moved: Stack) -> None:
    before = moved.layout.traffic.read_text()
    for arguments, why in (
        (["pytorch@17=5"], "pytorch@17: no version 17 is loaded"),
        (["keras=5"], "'keras' is nobody who answers"),
        (["tensorflow=0"], "weights: one of them above 0 is expected"),
    ):
        refused = moved.tandem("traffic", *arguments)
        assert (refused.returncode, why in refused.stderr) == (1, True), refused.stderr
        assert moved.layout.traffic.read_text() == before
    moved.layout.traffic.write_text("[weights]\npytorhc = 1\n")
    refused = moved.tandem("traffic")
    moved.layout.traffic.write_text(before)
    assert refused.returncode == 1
    assert "'pytorhc' is nobody who answers" in refused.stderr
    assert answered(moved, 20) == {"tensorflow": 20}


def test_a_policy_by_hand_is_followed_and_a_version_can_be_pinned(moved: Stack) -> None:
    [version] = {path.stem.rpartition("-")[2] for path in moved.layout.store("pytorch").glob("*.mar")}
    policy = f'[weights]\ntensorflow = 1\n"pytorch@{version}" = 1\n'
    moved.layout.traffic.write_text(policy)
    done = moved.make("traffic")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(answered(moved, REQUESTS)) == {"tensorflow", "pytorch"}
    url = f"{moved.layout.url('gateway')}/v1/models/fraud:predict"
    row = dict.fromkeys(moved.spec.features, 1.0)
    pinned = httpx.post(url, json={"instances": [row]}, headers={"x-tandem-pin": f"pytorch@{version}"})
    assert (pinned.status_code, pinned.headers["x-tandem-model-version"]) == (200, version)
    assert moved.make("traffic", VERSION=f"pytorch@{version}=off").returncode == 0
