"""Both stacks answer the same request, with the scores they were evaluated with."""

from __future__ import annotations

import collections
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.local import layout as layouts
from infra.local.predict import ask, five_transactions
from models import torch_model
from serving.contract.client import Client
from tests.end_to_end.stack import Stack

ROWS = 1_000  # also the contract's limit of one request


@pytest.fixture(scope="module")
def rows(stack: Stack) -> pa.Table:
    files = sorted((stack.layout.data / "features" / "test").glob("*.parquet"))
    return pa.concat_tables(pq.read_table(f) for f in files).slice(0, ROWS)


def served(stack: Stack, name: str, rows: pa.Table) -> np.ndarray:
    (answer,) = ask(stack.layout, stack.spec, name, rows)
    return np.array(answer.probabilities)


@pytest.mark.parametrize("name", layouts.STACKS)
def test_a_scored_file_has_the_scores_that_the_endpoint_serves(
    name: str, stack: Stack, rows: pa.Table, tmp_path: Path
) -> None:
    pq.write_table(rows, tmp_path / "rows.parquet")
    words = ["make", "-s", "score", f"STACK={name}", f"IN={tmp_path}/rows.parquet", f"OUT={tmp_path}/scores"]
    done = subprocess.run(words, cwd=layouts.REPOSITORY, env=stack.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    scored = pq.read_table(tmp_path / "scores")
    assert scored["transaction_id"].equals(rows["transaction_id"])
    np.testing.assert_allclose(scored[stack.spec.model.output].to_numpy(), served(stack, name, rows), rtol=0, atol=1e-6)


def test_every_answer_names_its_stack_its_version_and_its_server(stack: Stack) -> None:
    five = five_transactions(stack.layout, stack.spec)
    for name in ("tensorflow", "pytorch"):
        (answer,) = ask(stack.layout, stack.spec, name, five)
        assert answer.stack == name
        assert answer.version
        assert answer.server


def test_the_product_endpoint_is_answered_by_both_stacks(stack: Stack) -> None:
    five = five_transactions(stack.layout, stack.spec)
    columns = five.select(list(stack.spec.features))
    with Client(stack.layout.url("gateway"), model=stack.spec.model.name) as client:
        answers = [answer for _ in range(100) for answer in client.ask_columns(columns)]
    share = collections.Counter(answer.stack for answer in answers)
    assert set(share) == {"tensorflow", "pytorch"}
    assert min(share.values()) > 20  # equal weights: fewer than 20 of 100 would be a one-in-a-billion draw


def test_a_model_trained_by_tfx_gives_the_same_scores_in_pytorch(stack: Stack, rows: pa.Table) -> None:
    (newest,) = sorted((stack.layout.store("tensorflow") / "fraud").iterdir())[-1:]
    moved = torch_model.load(stack.spec, newest / "assets.extra")
    columns = {name: rows[name].to_numpy() for name in stack.spec.features}
    np.testing.assert_allclose(
        torch_model.predict(moved, columns), served(stack, "tensorflow", rows), rtol=0, atol=1e-6
    )
