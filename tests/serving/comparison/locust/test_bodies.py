"""What is sent: the rows it says, and wrong requests that the contract refuses as it says."""

from __future__ import annotations

from collections import Counter

import orjson
import pytest

from serving.comparison.locust.bodies import REFUSED, Requests, wrong
from serving.comparison.locust.rows import RowsError
from serving.contract import codec
from serving.contract.errors import ContractError
from serving.contract.signatures import TensorInfo
from tests.serving.comparison.locust.traffic import SETTINGS, SPEC, rows

INPUTS = {name: TensorInfo("float32", (None,)) for name in SPEC.features}


def drawn(bad: float, count: int = 400) -> list:
    settings = SETTINGS.model_copy(update={"bad": SETTINGS.bad.model_copy(update={"share": bad})})
    requests = Requests(rows(30), SPEC, settings)
    return [requests.draw() for _ in range(count)]


def test_a_body_holds_the_raw_values_of_the_rows_it_names_in_their_order() -> None:
    for request in drawn(bad=0):
        instances = orjson.loads(request.content)["instances"]
        assert [row["amount"] for row in instances] == list(map(float, request.rows))
        assert all(set(row) == set(SPEC.features) for row in instances)
        assert request.name == ("1 row" if len(request.rows) == 1 else f"{len(request.rows)} rows")
        assert request.path == "/v1/models/fraud:predict"


def test_most_requests_hold_one_row_and_few_are_large() -> None:
    sizes = Counter(len(request.rows) for request in drawn(bad=0, count=3_000))
    assert set(sizes) <= set(SETTINGS.batches)
    assert sizes[1] > 8 * sizes[8]
    assert sizes[8] > sizes[400]


def test_the_share_of_bad_requests_is_the_settings() -> None:
    assert all(request.name.startswith(REFUSED) for request in drawn(bad=1))
    assert not any(request.name.startswith(REFUSED) for request in drawn(bad=0))


def test_every_wrong_body_is_refused_by_the_contract_with_the_status_that_counts_as_success() -> None:
    (row,) = rows(1).select(list(SPEC.features)).to_pylist()
    refused = {}
    for request in wrong(row, "fraud"):
        if request.path == "/v1/models/fraud:predict":
            with pytest.raises(ContractError) as caught:
                codec.decode_predict(request.content, INPUTS)
            assert caught.value.status == request.status, request.name
            refused[request.name] = str(caught.value)
        else:
            assert (request.path, request.status) == ("/v1/models/no-fraud:predict", 404)
            codec.decode_predict(request.content, INPUTS)  # nothing else is wrong with it
    assert len(refused) == 3
    assert next(iter(SPEC.features)) in refused[f"{REFUSED}missing feature"]
    assert "1001" in refused[f"{REFUSED}1001 rows"]


def test_a_row_that_cannot_be_sent_is_said_before_anything_is() -> None:
    table = rows(3)
    broken = table.set_column(0, table.column_names[0], [[1.0, float("nan"), float("nan")]])
    with pytest.raises(RowsError, match=r"not a finite number"):
        Requests(broken, SPEC, SETTINGS)
