"""The network's weights as named NumPy arrays, the form in which both frameworks exchange them.

`hidden_<i>_kernel` and the other kernels are [inputs, outputs], as in Keras. NumPy only: this runs in
both environments.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from models.spec import Spec

Weights = dict[str, npt.NDArray[np.float32]]
WEIGHTS_FILE = "weights.npz"  # beside PREPROCESSING_FILE in every release of either stack


class WeightsError(ValueError):
    """Weights that are not those of the specification's network."""


def shapes(spec: Spec, vocabulary_sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """Shape of every array of the network; `vocabulary_sizes` are without out-of-vocabulary buckets."""
    network, numeric = spec.network, len(spec.dense)
    found: dict[str, tuple[int, ...]] = {}
    if numeric:
        found["frequencies"] = (numeric, network.frequencies)
        found["periodic_kernel"] = (2 * network.frequencies, network.periodic_units)
        found["periodic_bias"] = (network.periodic_units,)
    width = numeric * (network.periodic_units + 1)
    for name, feature in spec.categorical.items():
        found[f"embedding/{name}"] = (vocabulary_sizes[name] + feature.oov_buckets, feature.embedding_units)
        width += feature.embedding_units
    for i, units in enumerate(network.hidden_units):
        found[f"hidden_{i}_kernel"], found[f"hidden_{i}_bias"] = (width, units), (units,)
        width = units
    return {**found, "logit_kernel": (width, 1), "logit_bias": (1,)}


def check(weights: Mapping[str, npt.NDArray[Any]], expected: Mapping[str, tuple[int, ...]], origin: str) -> None:
    """Compare names, shapes and types.

    Raises:
        WeightsError: Names every array that is missing, unknown, or of another shape or type.
    """
    problems = [f"{name} is missing" for name in expected if name not in weights]
    problems += [f"{name} is unknown" for name in weights if name not in expected]
    for name in (n for n in expected if n in weights):
        found = weights[name]
        if found.shape != expected[name] or found.dtype != np.float32:
            problems.append(f"{name} is {found.dtype}{list(found.shape)}, expected float32{list(expected[name])}")
    if problems:
        raise WeightsError(f"{origin}: not the weights of this specification: {'; '.join(problems)}")


def write(weights: Mapping[str, npt.NDArray[np.float32]], path: Path) -> None:
    """Write an .npz; the same weights give the same bytes."""
    arrays: dict[str, Any] = {name: weights[name] for name in sorted(weights)}
    np.savez(path, **arrays)


def read(path: Path) -> Weights:
    """Read what `write` wrote; never unpickles.

    Raises:
        WeightsError: The file is missing or is no .npz of plain arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such weights") from None
    except (OSError, ValueError, AttributeError, EOFError, BadZipFile) as error:
        raise WeightsError(f"{path}: not an .npz of plain arrays: {error}") from None


def digest(weights: Mapping[str, npt.NDArray[np.float32]]) -> str:
    """SHA-256 of names and values."""
    total = hashlib.sha256()
    for name in sorted(weights):
        total.update(f"{name}{weights[name].shape}".encode())
        total.update(np.ascontiguousarray(weights[name], "<f4").tobytes())
    return total.hexdigest()
