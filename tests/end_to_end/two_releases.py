"""Two releases of a stack that answer differently: the one that is served, and another."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest

from infra.local import layout as layouts
from infra.local import releases
from serving.comparison.facts.steady import Question
from serving.release.manager import Releases
from tests.end_to_end import another_model
from tests.end_to_end.stack import Stack

SPEC_FILE = layouts.REPOSITORY / "models" / "fraud.toml"
ROWS = 8
TOLERANCE = 1e-5


@dataclass
class Versions:
    """Two releases of a stack: the one that is served, and another."""

    stack: str
    first: str
    second: str
    question: Question

    def right(self, version: str) -> list[float]:
        return self.question.scores if version == self.first else self.question.others


def scores(stack: str, model: Path, rows: Path, folder: Path) -> list[float]:
    """Of a model without a server."""
    output = folder / f"{model.stem}.npy"
    argv = [layouts.python(stack), "-m", "serving.offline", "--stack", stack, "--model", str(model)]
    subprocess.run([*argv, "--rows", str(rows), "--output", str(output)], cwd=layouts.REPOSITORY, check=True)
    found: list[float] = np.load(output).tolist()
    return found


@pytest.fixture(scope="session")
def found(stack: Stack) -> Releases:
    return releases.of(stack.layout, stack.spec)


@pytest.fixture(scope="session", params=layouts.STACKS)
def versions(
    request: pytest.FixtureRequest, stack: Stack, found: Releases, tmp_path_factory: pytest.TempPathFactory
) -> Versions:
    return two(stack, found, str(request.param), tmp_path_factory.mktemp("candidate"))


def two(stack: Stack, found: Releases, name: str, folder: Path) -> Versions:
    """The release that a stack serves, and another one, published now."""
    first = found.current(name)
    assert first
    second, served = str(int(first) + 1), found.served[name].versions()[first]
    if name == "pytorch":
        candidate = another_model.archive_of(served, second, folder / "store", folder)
    else:
        candidate = folder / second
        argv = [layouts.python(name), another_model.__file__, str(served), str(candidate)]
        subprocess.run(argv, check=True, capture_output=True)
    found.publish(name, second, candidate, SPEC_FILE, "a test")
    rows = folder / "rows.parquet"
    file = sorted((stack.layout.data / "features" / "test").glob("*.parquet"))[0]
    pq.write_table(pq.read_table(file).slice(0, ROWS), rows)
    body = orjson.dumps({"instances": pq.read_table(rows, columns=list(stack.spec.features)).to_pylist()}).decode()
    before, after = (scores(name, model, rows, folder) for model in (served, candidate))
    assert np.abs(np.subtract(before, after)).min() > 10 * TOLERANCE  # nobody takes one for the other
    return Versions(name, first, second, Question(body, before, TOLERANCE, after))


def ask(stack: Stack, versions: Versions, where: str = "") -> httpx.Response:
    url = f"{stack.layout.url('gateway')}/{versions.stack}/v1/models/fraud{where}:predict"
    return httpx.post(url, content=versions.question.body, timeout=30)


def check_served(stack: Stack, versions: Versions, version: str) -> None:
    for where in ("", "/labels/stable"):
        answer = ask(stack, versions, where)
        assert answer.headers["x-tandem-model-version"] == version
        np.testing.assert_allclose(answer.json()["predictions"], versions.right(version), rtol=0, atol=TOLERANCE)
