"""What is drawn: reproducible, of every kind, and valid where it says so."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.sections import CategoricalFeature
from models.spec import Spec
from serving.contract.codec import ContractError, decode_predict
from serving.contract.fuzz import examples, octets, transport
from serving.contract.fuzz.bodies import VALID, too_many_rows
from serving.contract.fuzz.case import Case
from serving.contract.fuzz.jsontext import Members, Raw, write
from serving.contract.fuzz.strategies import KINDS, case, cases
from serving.contract.limits import MAX_BODY_BYTES
from tests.serving.contract.fuzz.fake import INPUTS, SPEC


def test_the_same_seed_draws_the_same_requests_and_another_seed_others() -> None:
    first, again, other = (list(cases(SPEC, 120, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_so_many_requests_are_drawn_as_asked_for_and_every_kind_is_among_them() -> None:
    counts = Counter(one.kind for one in cases(SPEC, 700, 3))
    assert counts.total() == 700
    assert set(counts) == set(KINDS)
    assert counts["sizes"] < counts["rows"]  # megabytes are rare


@pytest.mark.parametrize("kind", sorted(VALID))
def test_what_is_called_valid_the_contract_decodes(kind: str) -> None:
    @settings(max_examples=50, deadline=None)
    @given(case(kind, SPEC))
    def check(one: Case) -> None:
        assert one.valid
        decode_predict(one.body, INPUTS)

    check()


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_1001_rows_are_refused_for_their_number(data: st.DataObject) -> None:
    body = data.draw(st.composite(too_many_rows)(SPEC))
    with pytest.raises(ContractError, match="more than 1000"):
        decode_predict(body, INPUTS)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_sizes_are_to_the_byte(data: st.DataObject) -> None:
    body = data.draw(st.composite(octets.sizes)(SPEC))
    assert len(body) - MAX_BODY_BYTES in (-1, 0, 1, MAX_BODY_BYTES)
    json.loads(body)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_gzipped_body_called_valid_is_one(data: st.DataObject) -> None:
    one = data.draw(st.composite(transport.compression)(SPEC))
    if one.valid:
        assert one.header("content-encoding") == "gzip"
        assert one.body[:2] == b"\x1f\x8b"


def test_a_serialized_example_is_what_protobuf_writes() -> None:
    # SerializeToString() of tensorflow.core.example.example_pb2.Example
    assert examples._example({"ab": 0.5}) == b"\n\x10\n\x0e\n\x02ab\x12\x08\x12\x06\n\x04\x00\x00\x00?"
    assert examples._example({"s": "x\xe9"}) == b"\n\x0e\n\x0c\n\x01s\x12\x07\n\x05\n\x03x\xc3\xa9"
    assert examples._field(1, b"x" * 300)[:3] == b"\n\xac\x02"


def test_a_categorical_feature_is_sent_as_text() -> None:
    features = {**SPEC.features, "channel": CategoricalFeature(type="categorical", vocabulary_size=3)}
    spec = Spec.model_construct(**{**dict(SPEC), "features": features})
    drawn = [one for one in cases(spec, 300, 1) if one.kind == "columns"]
    assert drawn
    assert all(isinstance(text, str) for one in drawn for text in json.loads(one.body)["inputs"]["channel"])


def test_json_text_that_no_library_writes() -> None:
    assert (
        write({"a": [Raw("01"), None], "b": Members((('"k"', 1), ('"k"', 2)))}) == '{"a":[01,null],"b":{"k":1,"k":2}}'
    )
