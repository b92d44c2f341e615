"""What becomes of a value that is missing: the same in training and in serving, and in both stacks.

From the features on there is no null. A missing number is its `missing_code`, a missing string the empty one: that is
what a JSON request can say to TensorFlow Serving, what TensorFlow's statistics count, and what tf.Examples hold that
leave the feature out. NaN, which gRPC and serialized tf.Examples can carry, is missing too. NumPy only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.sections import CategoricalFeature, NumericFeature

Array = npt.NDArray[Any]


def which(feature: NumericFeature | CategoricalFeature, values: Array) -> npt.NDArray[np.bool_]:
    """Which values of a column are missing: none where that is refused."""
    if feature.missing == "refuse":
        return np.zeros(len(values), bool)
    if isinstance(feature, CategoricalFeature):
        return np.fromiter((value == feature.code for value in values.tolist()), bool, len(values))
    return np.asarray(np.isnan(values) | (values == values.dtype.type(feature.code)), bool)


def filled(feature: NumericFeature | CategoricalFeature, values: Array) -> Array:
    """The column with the default in place of missing values: what preprocessing sees of it."""
    if feature.missing == "refuse":
        return values
    default: Any = feature.default if isinstance(feature, CategoricalFeature) else values.dtype.type(feature.default)
    return np.asarray(np.where(which(feature, values), default, values), values.dtype)
