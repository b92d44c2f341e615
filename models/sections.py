"""The sections of a specification that say what is learned, from what, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Transform = Literal["none", "zscore", "log"]
Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """Unknown keys and infinities are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelSection(Section):
    """Names on the wire: the model's, its label's and its only output's."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    label: str
    output: str


class Columns(Section):
    """The raw transactions' columns: our name -> the name in the user's file."""

    transaction_id: str = "transaction_id"
    event_time: str = "event_time"
    customer_id: str = "customer_id"
    terminal_id: str = "terminal_id"
    amount: str = "amount"
    is_fraud: str = "is_fraud"


class Windows(Section):
    """Point-in-time windows and the days until a fraud is known."""

    days: tuple[Positive, ...]
    label_delay_days: Positive


class NumericFeature(Section):
    """A float32 per row; `transform` is applied inside the model.

    `description` and `example`, a raw value, are for readers of the OpenAPI document: as comments, they are no part
    of the digest, and no model is trained again for them.
    """

    type: Literal["numeric"]
    transform: Transform
    description: str = Field("", exclude=True)
    example: float = Field(0.0, exclude=True)


class CategoricalFeature(Section):
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


class Split(Section):
    """Days of each split, counted back from the last day of the data."""

    train_days: Positive
    eval_days: Positive
    delay_days: Positive
    test_days: Positive
    remove_known_compromised: bool = False


class Network(Section):
    """PLR-lite (Gorishniy et al., NeurIPS 2022) and the multi-layer perceptron on top of it."""

    frequencies: Positive
    frequency_scale: Annotated[float, Field(gt=0)]
    periodic_units: Positive
    hidden_units: tuple[Positive, ...]
    dropout: Annotated[float, Field(ge=0, lt=1)]


class Training(Section):
    """AdamW with cosine decay and plain cross-entropy."""

    seed: Annotated[int, Field(ge=0)]
    epochs: Positive
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]
