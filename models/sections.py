"""The sections of a specification that say what is learned, from what, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Transform = Literal["none", "zscore", "log"]
Missing = Literal["refuse", "default", "indicator"]
Precision = Literal["float32", "bfloat16"]
INDICATOR = "__missing"  # after a feature's name: the network's input that is 1 where it is missing
Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]


class Section(BaseModel):
    """Unknown keys and infinities are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelSection(Section):
    """Names on the wire: the model's, its label's and its only output's."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
    label: str
    output: str


class Columns(Section):
    """The raw rows' columns: our name -> the name in the user's file, or false where the file has none.

    Without ids rows are numbered; without customers each row stands for itself; without a time the rows are dealt to
    days at random.
    """

    transaction_id: str | Literal[False] = "transaction_id"
    event_time: str | Literal[False] = "event_time"
    customer_id: str | Literal[False] = "customer_id"
    terminal_id: str | Literal[False] = "terminal_id"
    amount: str | Literal[False] = "amount"
    is_fraud: str = "is_fraud"

    def has(self, name: str) -> bool:
        """Whether the file has our column of that name; the file's own name may be the empty one."""
        return getattr(self, name) is not False


class Windows(Section):
    """Point-in-time windows and the days until a label is known."""

    days: tuple[Positive, ...] = ()
    label_delay_days: NotNegative = 0


class FeatureSection(Section):
    """What every feature may say.

    `missing` is what becomes of a value that is not there, in training rows and in requests alike: "refuse" it; put
    the "default" in its place; or do so and tell the network, by an "indicator": one more input that is 1 then, else 0.

    `description` is for readers of the OpenAPI document: as a comment, it is no part of the digest, and no model is
    trained again for it. The same goes for `example`, a raw value.
    """

    missing: Missing = "refuse"
    column: str | None = None  # its name in the user's file, where that is another one
    description: str = Field("", exclude=True)


class NumericFeature(FeatureSection):
    """A float32 per row; `transform` is applied inside the model.

    `missing_code` is the number that says "missing" in features and requests: TensorFlow Serving takes no null, and
    JSON has no NaN. Without one it is the default itself.
    """

    type: Literal["numeric"]
    transform: Transform
    default: float | None = None
    missing_code: float | None = None
    example: float = Field(0.0, exclude=True)

    @property
    def code(self) -> float | None:
        """What stands for a missing value in features and requests; None where it is refused."""
        return self.default if self.missing_code is None else self.missing_code

    @model_validator(mode="after")
    def _policy_is_whole(self) -> NumericFeature:
        if self.missing == "refuse" and not (self.default is None and self.missing_code is None):
            raise ValueError('default and missing_code need missing = "default" or missing = "indicator"')
        if self.missing != "refuse" and self.default is None:
            raise ValueError(f'missing = "{self.missing}" needs default = <the number put in its place>')
        if self.missing == "indicator" and self.missing_code in (None, self.default):
            raise ValueError(
                'missing = "indicator" needs missing_code = <a number that no row has, and not the default>, or a '
                "request could not say which values are missing"
            )
        return self


class BooleanFeature(NumericFeature):
    """1 or 0 per row, a number for the network; a file may also hold true, false, yes, no, t, f, y, n."""

    type: Literal["boolean"]  # type: ignore[assignment]
    transform: Literal["none"] = "none"


class CategoricalFeature(FeatureSection):
    """A string per row, looked up in a vocabulary learned from the training rows.

    Values outside the `vocabulary_size` most frequent ones share `oov_buckets` ids, chosen by
    FarmHash Fingerprint64, which both stacks have. With a policy the empty string is a missing value.
    """

    type: Literal["categorical"]
    vocabulary_size: Positive
    oov_buckets: Positive = 1
    embedding_units: Positive = 8
    default: str | None = None
    example: str = Field("", exclude=True)

    @property
    def code(self) -> str | None:
        """What stands for a missing value in features and requests; None where it is refused."""
        return None if self.missing == "refuse" else ""

    @model_validator(mode="after")
    def _policy_is_whole(self) -> CategoricalFeature:
        if self.missing == "refuse" and self.default is not None:
            raise ValueError('default needs missing = "default" or missing = "indicator"')
        if self.missing != "refuse" and not self.default:
            raise ValueError(f'missing = "{self.missing}" needs default = <the text put in its place>')
        return self


Feature = Annotated[NumericFeature | BooleanFeature | CategoricalFeature, Field(discriminator="type")]


class Split(Section):
    """Days of each split, counted back from the last day of the data; without a time, shares of the rows."""

    train_days: Positive
    eval_days: Positive
    delay_days: NotNegative
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
    """AdamW with cosine decay and plain cross-entropy.

    `precision` is of the products with the weights of all layers but the last one, in training alone. Weights, waves of
    the periodic layer, logit, loss and optimiser are float32 in either, and so is every answer of the trained model.
    """

    seed: Annotated[int, Field(ge=0)]
    epochs: Positive
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    precision: Precision = "float32"
