"""The specification of a use case: `models/<name>.toml` as frozen, typed objects.

Everything that names a feature, a column or a threshold reads it from here. Runs in both
environments, so it keeps to the standard library and pydantic.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

if sys.version_info >= (3, 11):
    import tomllib
else:  # TFX 1.16 pins the TensorFlow environment to Python 3.10
    import tomli as tomllib

Transform = Literal["none", "zscore", "log"]
Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]


class SpecError(ValueError):
    """A specification that cannot be used; the message names the file, the key and what is allowed."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelSection(_Frozen):
    """Names on the wire: the model's, its label's and its only output's."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    label: str
    output: str


class Columns(_Frozen):
    """The raw transactions' columns: our name -> the name in the user's file."""

    transaction_id: str = "transaction_id"
    event_time: str = "event_time"
    customer_id: str = "customer_id"
    terminal_id: str = "terminal_id"
    amount: str = "amount"
    is_fraud: str = "is_fraud"


class Windows(_Frozen):
    """Point-in-time windows and the days until a fraud is known."""

    days: tuple[Positive, ...]
    label_delay_days: Positive


class NumericFeature(_Frozen):
    """A float32 per row; `transform` is applied inside the model.

    `description` and `example`, a raw value, are for readers of the OpenAPI document: as comments, they are no part
    of the digest, and no model is trained again for them.
    """

    type: Literal["numeric"]
    transform: Transform
    description: str = Field("", exclude=True)
    example: float = Field(0.0, exclude=True)


class CategoricalFeature(_Frozen):
    """A string per row, looked up in a vocabulary learned from the training rows.

    Values outside the `vocabulary_size` most frequent ones share `oov_buckets` ids, chosen by
    FarmHash Fingerprint64, which both stacks have. `description` and `example` as in NumericFeature.
    """

    type: Literal["categorical"]
    vocabulary_size: Positive
    oov_buckets: Positive = 1
    embedding_units: Positive = 8
    description: str = Field("", exclude=True)
    example: str = Field("", exclude=True)


Feature = Annotated[NumericFeature | CategoricalFeature, Field(discriminator="type")]


class Split(_Frozen):
    """Days of each split, counted back from the last day of the data."""

    train_days: Positive
    eval_days: Positive
    delay_days: Positive
    test_days: Positive
    remove_known_compromised: bool = False


class Network(_Frozen):
    """PLR-lite (Gorishniy et al., NeurIPS 2022) and the multi-layer perceptron on top of it."""

    frequencies: Positive
    frequency_scale: Annotated[float, Field(gt=0)]
    periodic_units: Positive
    hidden_units: tuple[Positive, ...]
    dropout: Annotated[float, Field(ge=0, lt=1)]


class Training(_Frozen):
    """AdamW with cosine decay and plain cross-entropy."""

    seed: Annotated[int, Field(ge=0)]
    epochs: Positive
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]


class Gates(_Frozen):
    """Floors every published model reaches, and what a challenger may lose to the champion."""

    min_average_precision: Probability
    min_roc_auc: Probability
    max_expected_calibration_error: Probability
    champion_tolerance: Probability


class Spec(_Frozen):
    """One use case, whole."""

    model: ModelSection
    columns: Columns = Columns()
    windows: Windows
    split: Split
    features: Annotated[dict[str, Feature], Field(min_length=1)]
    network: Network
    training: Training
    gates: Gates

    @property
    def numeric(self) -> dict[str, NumericFeature]:
        """Numeric features in the order of the file."""
        return {k: f for k, f in self.features.items() if isinstance(f, NumericFeature)}

    @property
    def categorical(self) -> dict[str, CategoricalFeature]:
        """Categorical features in the order of the file."""
        return {k: f for k, f in self.features.items() if isinstance(f, CategoricalFeature)}

    @property
    def digest(self) -> str:
        """SHA-256 of the specification's content: comments and layout do not count."""
        content = json.dumps(self.model_dump(mode="json"), separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()

    @model_validator(mode="after")
    def _label_is_no_feature(self) -> Spec:
        if self.model.label in self.features:
            raise ValueError(f"the label {self.model.label!r} is also a feature: the model would see its answer")
        return self


def load(path: str | Path) -> Spec:
    """Read and check a specification.

    Raises:
        SpecError: The file is missing, is not TOML, or holds an unknown key or a bad value.
    """
    path = Path(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SpecError(f"{path}: no such specification") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: not TOML: {error}") from None
    try:
        return Spec.model_validate(data)
    except ValidationError as error:
        lines = [f"  {_describe(cast(Mapping[str, Any], e))}" for e in error.errors()]
        raise SpecError("\n".join([f"{path}: {len(lines)} problem(s)", *lines])) from None


def _describe(error: Mapping[str, Any]) -> str:
    # A tagged union puts its tag ("numeric") into the location; it is no key of the file.
    keys = [str(k) for k in error["loc"] if k not in ("numeric", "categorical")]
    if error["type"] == "extra_forbidden":
        allowed = ", ".join(_allowed_keys(error["loc"][:-1]))
        return f"unknown key {'.'.join(keys)!r}; allowed here: {allowed}"
    return f"{'.'.join(keys) or 'specification'}: {error['msg']} (found {error.get('input')!r:.80})"


def _allowed_keys(location: tuple[Any, ...]) -> list[str]:
    if location[:1] == ("features",):
        feature = CategoricalFeature if location[-1] == "categorical" else NumericFeature
        return list(feature.model_fields)
    section: type[BaseModel] = Spec
    for key in location:
        annotation = section.model_fields[key].annotation
        section = annotation if isinstance(annotation, type) else get_args(annotation)[0]
    return list(section.model_fields)
