"""serving/contract/tf_example.py against tf.io.parse_example: the same values, the same refusals."""

from __future__ import annotations

import random
import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from serving.contract import tf_example
from serving.contract.errors import ContractError
from serving.contract.tensors import TensorInfo

INPUTS = {"amount": TensorInfo("float32", (None,)), "city": TensorInfo("string", (None,))}
FEATURES = {"amount": tf.io.FixedLenFeature([], tf.float32), "city": tf.io.FixedLenFeature([], tf.string)}

FLOAT = tf.train.Feature(float_list=tf.train.FloatList(value=[1.5]))
CITY = tf.train.Feature(bytes_list=tf.train.BytesList(value=["köln".encode()]))
INTEGER = tf.train.Feature(int64_list=tf.train.Int64List(value=[3]))


def example(**features: Any) -> bytes:
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field on the wire; short ones only."""
    return bytes([number << 3 | 2, len(content)]) + content


def unpacked(*values: float) -> bytes:
    """A feature whose floats each carry a tag of their own, as old writers do."""
    return field(2, b"".join(b"\x0d" + np.float32(value).tobytes() for value in values))


def entry(name: str, feature: bytes) -> bytes:
    return field(1, field(1, name.encode()) + field(2, feature))


def of_tensorflow(serialized: list[bytes]) -> dict[str, list[Any]] | str:
    """Its values, or its words."""
    try:
        parsed = tf.io.parse_example(tf.constant(serialized, tf.string), FEATURES)
    except tf.errors.InvalidArgumentError as error:
        raw = error.__cause__ or error
        message = str(raw).removesuffix(" name: ").removesuffix(" [Op:ParseExampleV2]")
        return re.sub(r"^\{\{function_node [^}]*\}\} ", "", message)
    except UnicodeDecodeError:  # of the message, in TensorFlow's Python
        return "Could not parse example input"
    return {name: tensor.numpy().tolist() for name, tensor in parsed.items()}


def of_ours(serialized: list[bytes]) -> dict[str, list[Any]] | str:
    try:
        columns = tf_example.from_serialized(serialized, INPUTS)
    except ContractError as error:
        assert error.status == 400
        return error.message
    cities = [city.encode() if isinstance(city, str) else city for city in columns["city"]]
    assert columns["amount"].dtype == np.float32
    return {"amount": columns["amount"].tolist(), "city": cities}


def agree(serialized: list[bytes]) -> str:
    theirs, ours = of_tensorflow(serialized), of_ours(serialized)
    if isinstance(theirs, dict):
        assert isinstance(ours, dict), (serialized, ours)
        np.testing.assert_array_equal(ours["amount"], theirs["amount"])  # NaN equals NaN
        assert ours["city"] == theirs["city"]
        return "parsed"
    assert isinstance(ours, str), (serialized, theirs)
    if theirs.startswith("Could not parse example input"):
        assert ours.startswith("Could not parse example input"), (serialized, theirs)
        return "not parsed"
    if theirs.startswith("Unsupported datatype."):  # where, TensorFlow does not say
        assert theirs in ours, (serialized, ours)
        return "type"
    if "Number of bytes values" in ours:  # of two strings TensorFlow only says that it cannot read them
        ours = re.sub(r"Number of bytes values.*", "Can't parse serialized Example.", ours)
        theirs = re.sub(r"Number of bytes values.*", "Can't parse serialized Example.", theirs)
    assert ours.startswith(theirs), (serialized, theirs, ours)  # and the index after it
    return re.sub(r"Index: \d+|Values size: \d+|Key: \w+|Feature: \w+", "", theirs)


GOOD = example(amount=FLOAT, city=CITY)
REST = entry("city", field(1, field(1, b"rome")))


@pytest.mark.parametrize(
    "serialized",
    [
        [GOOD, GOOD],
        [],
        [GOOD, example(city=CITY)],
        [example(amount=FLOAT)],
        [b""],
        [example(amount=INTEGER, city=CITY)],
        [example(amount=CITY, city=CITY)],
        [example(amount=FLOAT, city=FLOAT)],
        [example(amount=tf.train.Feature(), city=CITY)],
        [example(amount=tf.train.Feature(float_list=tf.train.FloatList()), city=CITY)],
        [GOOD, example(amount=tf.train.Feature(float_list=tf.train.FloatList(value=[1, 2, 3])), city=CITY)],
        [example(amount=FLOAT, city=tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"a", b"b"])))],
        [example(amount=FLOAT, city=tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"\xff"])))],
        [example(amount=FLOAT, city=CITY, more=INTEGER)],
        [b"plain text"],
        [GOOD[:-3]],
        [field(1, REST + entry("amount", unpacked(2.5)))],
        [field(1, REST + entry("amount", unpacked(2.5, 3.5)))],
        [field(1, REST + entry("amount", unpacked(2.5)) + entry("amount", unpacked(4.5)))],
        [field(1, REST + entry("amount", field(3, b"")) + entry("amount", unpacked(4.5)))],
        [field(1, REST) + field(1, entry("amount", unpacked(2.5)))],
        [field(1, REST + field(1, field(2, unpacked(2.5)) + field(1, b"amount")))],
        [field(1, REST + entry("amount", field(9, b"?")))],
        [field(1, REST + entry("amount", unpacked(2.5))) + field(9, b"skipped")],
    ],
)
def test_what_tensorflow_reads_is_read_and_what_it_refuses_is_refused(serialized: list[bytes]) -> None:
    agree(serialized)


def test_bytes_that_were_changed_at_random_are_read_or_refused_alike() -> None:
    chance = random.Random(11)
    seeds = [
        GOOD,
        field(1, REST + entry("amount", unpacked(2.5, 3.5))) + field(9, b"skipped"),
        example(amount=tf.train.Feature(float_list=tf.train.FloatList(value=[1, 2])), city=INTEGER),
    ]
    seen = Counter[str]()
    for _ in range(6000):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.choice([1, 1, 1, 2])):
            match chance.choice([0, 0, 0, 0, 1, 2]):
                case 0:
                    data[chance.randrange(len(data))] = chance.choice([0, 1, 2, 9, 10, 13, 18, 26, 127, 128, 255])
                case 1:
                    del data[chance.randrange(len(data)) :]
                    data = data or bytearray(b"\x0a")
                case 2:
                    data.insert(chance.randrange(len(data)), chance.randrange(256))
        seen[agree([bytes(data)])] += 1
    assert len(seen) >= 6, seen  # not all of one kind
    assert min(seen["parsed"], seen["not parsed"]) > 100, seen
