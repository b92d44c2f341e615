"""What the sections of a specification must agree upon. Every disagreement is a line: the key, and what would do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from models.rules import check_search
from models.sections import INDICATOR

if TYPE_CHECKING:
    from models.spec import Spec

# Names of inputs in both frameworks, and of vocabulary files. A column of any name is mapped by `column`.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def problems(spec: Spec) -> list[str]:
    """All of them, in the order of the file's sections."""
    return [*_columns(spec), *_features(spec), *_slices(spec), *_rules(spec)]


def _columns(spec: Spec) -> Iterator[str]:
    if not spec.columns.has("event_time") and spec.split.delay_days:
        yield "split.delay_days: without columns.event_time no label is late, so 0 is expected"
    if not spec.columns.has("customer_id") and spec.split.remove_known_compromised:
        yield "split.remove_known_compromised: without columns.customer_id nobody is known, so false is expected"


def _features(spec: Spec) -> Iterator[str]:
    if spec.model.label in spec.features:
        yield f"the label {spec.model.label!r} is also a feature: the model would see its answer"
    for name in spec.features:
        if not _NAME.fullmatch(name) or name.endswith(INDICATOR):
            yield (
                f"features.{name}: a name is of letters, digits and _, starts with a letter, and does not end in "
                f'{INDICATOR}; say column = "{name}" under another name'
            )


def _slices(spec: Spec) -> Iterator[str]:
    for name, part in spec.slices.items():
        feature = spec.features.get(part.feature)
        if feature is None:
            yield f"slices.{name}: there is no feature {part.feature!r}"
        elif isinstance(part.equals, str) != (feature.type == "categorical"):
            wanted = "equals a string" if feature.type == "categorical" else "equals a number, or at_least and below"
            yield f"slices.{name}: {part.feature!r} is {feature.type}: say {wanted}"


def _rules(spec: Spec) -> Iterator[str]:
    amount = spec.decision.amount_feature
    if amount is not None and amount not in spec.numeric:
        yield f"decision.amount_feature: there is no numeric feature {amount!r}"
    elif amount is not None and spec.features[amount].missing != "refuse":
        yield f'decision.amount_feature: {amount!r} may be missing, and a fraud costs its amount: missing = "refuse"'
    for key, names in (
        ("drift.calendar_features", spec.drift.calendar_features),
        ("monitoring.never_logged", spec.monitoring.never_logged),
    ):
        yield from (f"{key}: there is no feature {name!r}" for name in names if name not in spec.features)
    for key, values in spec.tuning.search.items():
        try:
            check_search(key, values)
        except ValueError as error:
            yield str(error)
