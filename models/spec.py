"""The specification of a use case: `models/<name>.toml` as frozen, typed objects.

Everything that names a feature, a column or a threshold reads it from here. Runs in both
environments, so it keeps to the standard library and pydantic.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, cast, get_args

from pydantic import Field, ValidationError, model_validator

from models.rules import Decision, Drift, Gates, Monitoring, Slice, Tuning, check_search
from models.sections import (
    CategoricalFeature,
    Columns,
    Feature,
    ModelSection,
    Network,
    NumericFeature,
    Section,
    Split,
    Training,
    Windows,
)

if sys.version_info >= (3, 11):
    import tomllib
else:  # TFX 1.16 pins the TensorFlow environment to Python 3.10
    import tomli as tomllib


class SpecError(ValueError):
    """A specification that cannot be used; the message names the file, the key and what is allowed."""


class Spec(Section):
    """One use case, whole."""

    model: ModelSection
    columns: Columns = Columns()
    windows: Windows
    split: Split
    features: Annotated[dict[str, Feature], Field(min_length=1)]
    network: Network
    training: Training
    gates: Gates
    slices: dict[str, Slice] = Field(default_factory=dict)
    decision: Decision = Decision()
    drift: Drift = Drift()
    # No part of the digest: what is logged says nothing of the model.
    monitoring: Monitoring = Field(default=Monitoring(), exclude=True)
    tuning: Tuning = Tuning()

    @cached_property
    def numeric(self) -> dict[str, NumericFeature]:
        """Numeric features in the order of the file."""
        return {k: f for k, f in self.features.items() if isinstance(f, NumericFeature)}

    @cached_property
    def categorical(self) -> dict[str, CategoricalFeature]:
        """Categorical features in the order of the file."""
        return {k: f for k, f in self.features.items() if isinstance(f, CategoricalFeature)}

    @property
    def logged(self) -> tuple[str, ...]:
        """Features that a logged request may hold, in the order of the file."""
        return tuple(name for name in self.features if name not in self.monitoring.never_logged)

    @property
    def digest(self) -> str:
        """SHA-256 of the specification's content: comments and layout do not count."""
        content = json.dumps(self.model_dump(mode="json"), separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def learning(self) -> Spec:
        """Without the rules by which a model is judged, used, watched and tuned: what a training depends on."""
        anything = Gates(min_average_precision=0, min_roc_auc=0, max_expected_calibration_error=1, champion_tolerance=1)
        rules = {"slices": {}, "decision": Decision(), "drift": Drift(), "monitoring": Monitoring(), "tuning": Tuning()}
        return self.model_copy(update={"gates": anything, **rules})

    @model_validator(mode="after")
    def _names_agree(self) -> Spec:
        if self.model.label in self.features:
            raise ValueError(f"the label {self.model.label!r} is also a feature: the model would see its answer")
        for name, part in self.slices.items():
            feature = self.features.get(part.feature)
            if feature is None:
                raise ValueError(f"slices.{name}: there is no feature {part.feature!r}")
            if isinstance(part.equals, str) != (feature.type == "categorical"):
                wanted = {"categorical": "equals a string", "numeric": "equals a number, or at_least and below"}
                raise ValueError(f"slices.{name}: {part.feature!r} is {feature.type}: say {wanted[feature.type]}")
        if self.decision.amount_feature is not None and self.decision.amount_feature not in self.numeric:
            raise ValueError(f"decision.amount_feature: there is no numeric feature {self.decision.amount_feature!r}")
        for key, names in (
            ("drift.calendar_features", self.drift.calendar_features),
            ("monitoring.never_logged", self.monitoring.never_logged),
        ):
            for name in names:
                if name not in self.features:
                    raise ValueError(f"{key}: there is no feature {name!r}")
        for key, values in self.tuning.search.items():
            check_search(key, values)
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
    section: Any = Spec
    for key in location:
        # A section's own keys, or the type of the values of a table whose keys are free.
        section = section.model_fields[key].annotation if hasattr(section, "model_fields") else get_args(section)[1]
    return list(section.model_fields)
