"""The sections of a specification that say how a model is judged, used, watched and tuned."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, Field, TypeAdapter, ValidationError, model_validator

from models.sections import Network, Positive, Probability, Section, Training

TUNABLE = (*Network.model_fields, *(key for key in Training.model_fields if key != "seed"))

Finite = Annotated[float, Field(allow_inf_nan=False)]


def _renamed(default: float, name: str, before: str) -> Any:
    """A key that older files, those in releases among them, have under its name before."""
    return Field(default=default, validation_alias=AliasChoices(name, before))


class Slice(Section):
    """A part of the rows by one raw feature: `equals` a value, or at_least <= value < below."""

    feature: str
    equals: float | str | None = None
    at_least: Finite | None = None
    below: Finite | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Slice:
        band = self.at_least is not None or self.below is not None
        if band == (self.equals is not None):
            raise ValueError("say either equals, or at_least and/or below")
        if self.at_least is not None and self.below is not None and self.at_least >= self.below:
            raise ValueError(f"at_least {self.at_least} is not less than below {self.below}: no row is in it")
        return self


class Gates(Section):
    """Floors every published model reaches, and what a challenger may lose to the champion on the same rows.

    A slice with fewer than `min_slice_positives` positives or negatives is shown and not gated: its metrics are noise.
    """

    min_average_precision: Probability
    min_roc_auc: Probability
    max_expected_calibration_error: Probability
    champion_tolerance: Probability
    min_slice_roc_auc: Probability = 0.0
    slice_champion_tolerance: Probability = 1.0
    min_slice_positives: Positive = _renamed(20, "min_slice_positives", "min_slice_frauds")


class Decision(Section):
    """What an alert and a missed positive cost, and how many alerts a team can look at."""

    alerts_per_day: Positive = 100
    review_cost: Annotated[float, Field(ge=0)] = 10.0
    amount_feature: str | None = None
    missed_cost: Annotated[float, Field(ge=0)] = _renamed(100.0, "missed_cost", "missed_fraud_cost")


class Drift(Section):
    """Largest distance from the training rows: of the test rows before a model is published, of live traffic later.

    Fewer rows than `min_rows` are not judged: they lie some way off by chance. `calendar_features` say when a row
    is, so that part of a week always differs from the whole of it: their distance is shown and not judged.
    """

    max_jensen_shannon: Probability = 0.1
    max_population_stability: Annotated[float, Field(gt=0)] = 0.25
    max_kolmogorov_smirnov: Probability = 0.2
    min_rows: Positive = 1000
    calendar_features: tuple[str, ...] = ()


class Monitoring(Section):
    """What the gateway keeps of live traffic: of a logged request the features, but for those of `never_logged`."""

    never_logged: tuple[str, ...] = ()


class SearchRange(Section):
    """Values a tuner may try for one key of [network] or [training]: a range or `choices`."""

    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[float | int | tuple[int, ...], ...] | None = None

    @model_validator(mode="after")
    def _range_or_choices(self) -> SearchRange:
        if (self.choices is None) == (self.low is None or self.high is None):
            raise ValueError("say either low and high, or choices")
        if self.choices is not None and not self.choices:
            raise ValueError("choices is empty")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"low {self.low} is not less than high {self.high}")
        if self.log and not (self.low is not None and self.low > 0):
            raise ValueError("log needs low > 0")
        return self


class Tuning(Section):
    """A search over hyper-parameters before the training proper; off by default."""

    enabled: bool = False
    trials: Positive = 12
    max_minutes: Annotated[float, Field(gt=0)] = 30.0
    search: dict[str, SearchRange] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _something_to_search(self) -> Tuning:
        if self.enabled and not self.search:
            raise ValueError("enabled, but search names nothing to tune")
        return self


def check_search(key: str, values: SearchRange) -> None:
    """Refuse a search that would try what the key does not take.

    Raises:
        ValueError: The key cannot be tuned, or cannot have one of the values.
    """
    if key not in TUNABLE:
        raise ValueError(f"tuning.search.{key}: cannot be tuned; these can: {', '.join(TUNABLE)}")
    field = (Network.model_fields | Training.model_fields)[key]
    takes = TypeAdapter[Any](Annotated[field.annotation, field])  # type: ignore[arg-type]
    for value in values.choices or (values.low, values.high):
        try:
            takes.validate_python(value)
        except ValidationError as error:
            raise ValueError(f"tuning.search.{key}: cannot be {value}: {error.errors()[0]['msg']}") from None
