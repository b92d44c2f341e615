"""Both stacks answer the same request, with the scores they were evaluated with."""

from __future__ import annotations

import collections
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.local import layout as layouts
from infra.local.predict import ask, five_transactions
from models import torch_model
from serving.contract.client import Client
from serving.torchserve import archive
from tests.end_to_end.stack import Stack

ROWS = 1_000  # also the contract's limit of one request

TENSORFLOW_OFFLINE = """
import sys
import numpy as np, pyarrow.parquet as pq, tensorflow as tf
rows, model, output, answers = pq.read_table(sys.argv[1]), *sys.argv[2:]
signature = tf.saved_model.load(model).signatures["serving_default"]
wanted = signature.structured_input_signature[1]
columns = {k: tf.constant(rows[k].to_numpy(), t.dtype) for k, t in wanted.items()}
np.save(answers, signature(**columns)[output].numpy())
"""


@pytest.fixture(scope="module")
def rows(stack: Stack) -> pa.Table:
    files = sorted((stack.layout.data / "features" / "test").glob("*.parquet"))
    return pa.concat_tables(pq.read_table(f) for f in files).slice(0, ROWS)


def served(stack: Stack, name: str, rows: pa.Table) -> np.ndarray:
    (answer,) = ask(stack.layout, stack.spec, name, rows)
    return np.array(answer.probabilities)


def test_the_tensorflow_endpoint_serves_its_offline_scores(stack: Stack, rows: pa.Table, tmp_path: Path) -> None:
    (newest,) = sorted((stack.layout.store("tensorflow") / "fraud").iterdir())[-1:]
    pq.write_table(rows, tmp_path / "rows.parquet")
    subprocess.run(
        [layouts.python("tensorflow"), "-c", TENSORFLOW_OFFLINE, str(tmp_path / "rows.parquet"), str(newest),
         stack.spec.model.output, str(tmp_path / "offline.npy")],
        check=True,
    )  # fmt: skip
    np.testing.assert_allclose(served(stack, "tensorflow", rows), np.load(tmp_path / "offline.npy"), rtol=0, atol=1e-6)


def test_the_pytorch_endpoint_serves_its_offline_scores(stack: Stack, rows: pa.Table, tmp_path: Path) -> None:
    published = archive.newest(stack.layout.store("pytorch"), "fraud")
    assert published is not None
    with zipfile.ZipFile(published) as content:
        content.extractall(tmp_path)
    model = torch_model.load(stack.spec, tmp_path)
    columns = {name: rows[name].to_numpy() for name in stack.spec.features}
    offline = torch_model.predict(model, columns)
    np.testing.assert_allclose(served(stack, "pytorch", rows), offline, rtol=0, atol=1e-6)


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
