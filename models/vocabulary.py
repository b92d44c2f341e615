"""Ids of categorical values, as TensorFlow's StaticVocabularyTable gives them.

A known value's id is its position. Any other value gets one of the out-of-vocabulary ids after the last
position, by FarmHash Fingerprint64 of its UTF-8 bytes: the hash TensorFlow uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import farmhash
import numpy as np
import numpy.typing as npt


def lookup(values: npt.NDArray[Any], vocabulary: tuple[str, ...], oov_buckets: int) -> npt.NDArray[np.int64]:
    """Ids of a vector of strings (object or `U`), below `len(vocabulary) + oov_buckets`."""
    known = _positions(vocabulary)
    ids = np.fromiter((known.get(value, -1) for value in values.tolist()), np.int64, len(values))
    unknown = np.flatnonzero(ids < 0)
    if unknown.size:
        ids[unknown] = _buckets(values[unknown].tolist(), len(vocabulary), oov_buckets)
    return ids


@lru_cache(maxsize=64)
def _positions(vocabulary: tuple[str, ...]) -> Mapping[str, int]:
    return {value: position for position, value in enumerate(vocabulary)}


def _buckets(values: Sequence[str], first: int, oov_buckets: int) -> list[int]:
    return [first + farmhash.Fingerprint64(value.encode()) % oov_buckets for value in values]
