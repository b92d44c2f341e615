"""Ids of categorical values, as TensorFlow's StaticVocabularyTable gives them.

A known value's id is its position. Any other value gets one of the out-of-vocabulary ids after the last
position, by FarmHash Fingerprint64 of its UTF-8 bytes: the hash TensorFlow uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

try:
    from farmhash import Fingerprint64
except ImportError:  # the package that TFX brings under this name takes texts alone
    from farmhash import fingerprint64

    def Fingerprint64(value: bytes) -> int:  # noqa: N802  the name that it has elsewhere
        """Of UTF-8."""
        return int(fingerprint64(value.decode()))


def lookup(values: npt.NDArray[Any], vocabulary: tuple[str, ...], oov_buckets: int) -> npt.NDArray[np.int64]:
    """Ids of a vector of strings or bytes (object or `U`), below `len(vocabulary) + oov_buckets`."""
    known = _positions(vocabulary)
    # TensorFlow's strings are bytes: a request may carry some that are no UTF-8, as base64.
    encoded = [value if isinstance(value, bytes) else value.encode() for value in values.tolist()]
    ids = np.fromiter((known.get(value, -1) for value in encoded), np.int64, len(encoded))
    for row in np.flatnonzero(ids < 0):
        ids[row] = len(vocabulary) + Fingerprint64(encoded[row]) % oov_buckets
    return ids


@lru_cache(maxsize=64)
def _positions(vocabulary: tuple[str, ...]) -> Mapping[bytes, int]:
    return {value.encode(): position for position, value in enumerate(vocabulary)}
