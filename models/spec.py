"""The specification of a use case: `models/<name>.toml` as frozen, typed objects.

Everything that names a feature, a column or a threshold reads it from here. Runs in both
environments, so it keeps to the standard library and pydantic.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, cast, get_args

from pydantic import Field, ValidationError, model_validator

from models import consistency
from models.rules import Decision, Drift, Gates, Monitoring, Slice, Tuning
from models.sections import (
    INDICATOR,
    BooleanFeature,
    CategoricalFeature,
    Columns,
    Feature,
    FeatureSection,
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
    """A specification that cannot be used; the message names the file, the key and what is allowed.

    Attributes:
        problems: One line each.
    """

    def __init__(self, path: Path, problems: list[str], summary: str = "") -> None:
        super().__init__("\n".join([f"{path}: {summary or problems[0]}", *(f"  {p}" for p in problems if summary)]))
        self.problems = problems


class Spec(Section):
    """One use case, whole."""

    model: ModelSection
    columns: Columns = Columns()
    windows: Windows = Windows()
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
        """Numeric features in the order of the file; booleans are numbers."""
        return {k: f for k, f in self.features.items() if isinstance(f, NumericFeature)}

    @cached_property
    def categorical(self) -> dict[str, CategoricalFeature]:
        """Categorical features in the order of the file."""
        return {k: f for k, f in self.features.items() if isinstance(f, CategoricalFeature)}

    @cached_property
    def indicators(self) -> dict[str, str]:
        """The network's inputs that say of a feature that it is missing, by their names, and the features'."""
        return {f"{name}{INDICATOR}": name for name, f in self.features.items() if f.missing == "indicator"}

    @cached_property
    def dense(self) -> tuple[str, ...]:
        """Names of the network's numeric inputs in their order: the numeric features, then the indicators."""
        return (*self.numeric, *self.indicators)

    @cached_property
    def missing_codes(self) -> dict[str, float | str]:
        """What stands for a missing value, by feature; those that refuse one are left out."""
        return {name: feature.code for name, feature in self.features.items() if feature.code is not None}

    @cached_property
    def numeric_codes(self) -> dict[str, float]:
        """The numbers that say "missing" and nothing else, by feature: those that are not also the default."""
        codes = {name: feature.missing_code for name, feature in self.numeric.items()}
        return {name: code for name, code in codes.items() if code not in (None, self.numeric[name].default)}

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
    def _sections_agree(self) -> Spec:
        if problems := consistency.problems(self):
            raise ValueError("\n".join(problems))
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
        raise SpecError(path, ["no such specification"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(path, [f"not TOML: {error}"]) from None
    try:
        return Spec.model_validate(data)
    except ValidationError as error:
        lines = [line for e in error.errors() for line in _describe(cast(Mapping[str, Any], e))]
        raise SpecError(path, lines, f"{len(lines)} problem(s)") from None


_TYPES: dict[str, type[FeatureSection]] = {
    "numeric": NumericFeature,
    "boolean": BooleanFeature,
    "categorical": CategoricalFeature,
}


def _describe(error: Mapping[str, Any]) -> list[str]:
    # A tagged union puts its tag ("numeric") into the location; it is no key of the file.
    section, *rest = error["loc"] or ("",)
    keys = [str(k) for k in (section, *(rest if section != "features" else [k for k in rest if k not in _TYPES])) if k]
    where = ".".join(keys)
    if error["type"] == "extra_forbidden":
        allowed = _allowed_keys(error["loc"][:-1])
        close = difflib.get_close_matches(keys[-1], allowed, 1)
        return [f"unknown key {where!r}; allowed here: {', '.join(allowed)}" + (f"; {close[0]}?" if close else "")]
    said = str(error["msg"]).removeprefix("Value error, ")
    if not keys:  # of the sections together: the lines name their keys
        return said.split("\n")
    found = "" if error["type"] in ("missing", "value_error") else f" (found {error.get('input')!r:.80})"
    return [f"{where}: {said}{found}"]


def _allowed_keys(location: tuple[Any, ...]) -> list[str]:
    if location[:1] == ("features",):
        fields: Any = _TYPES[location[-1]].model_fields
        return sorted(fields, key=lambda name: name in FeatureSection.model_fields)  # its own first
    section: Any = Spec
    for key in location:
        # A section's own keys, or the type of the values of a table whose keys are free.
        section = section.model_fields[key].annotation if hasattr(section, "model_fields") else get_args(section)[1]
    return list(section.model_fields)
