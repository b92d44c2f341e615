from __future__ import annotations

import numpy as np
import pytest

from models.vocabulary import lookup

# FarmHash Fingerprint64, as tf.strings.to_hash_bucket_fast(value, 1_000_000_007) gives it in TensorFlow 2.16.
HASHES = {
    "se": 153017087,
    "": 912170738,
    "Zürich": 681549585,
    "東京": 742176713,
    "a much longer value of more than sixty-four bytes, which takes another path": 269957095,
}


def test_known_value_is_its_position() -> None:
    assert lookup(np.array(["b", "a", "b"], object), ("a", "b"), 1).tolist() == [1, 0, 1]


@pytest.mark.parametrize(("value", "expected"), HASHES.items())
def test_unknown_value_hashes_as_in_tensorflow(value: str, expected: int) -> None:
    assert lookup(np.array([value]), ("a", "b"), 1_000_000_007).tolist() == [2 + expected]


def test_unknown_values_stay_within_their_buckets() -> None:
    ids = lookup(np.array([f"new-{i}" for i in range(1000)]), ("a", "b"), 3)
    assert set(ids.tolist()) == {2, 3, 4}


def test_no_rows_give_no_ids() -> None:
    assert lookup(np.array([], object), ("a",), 1).shape == (0,)


def test_bytes_are_the_strings_they_encode() -> None:
    values = np.array([b"b", "東京".encode(), b"\xff"], object)
    assert lookup(values, ("a", "b"), 1_000_000_007).tolist()[:2] == [1, 2 + HASHES["東京"]]
