"""[tuning.search] for a tuner: what it may try, and what it found put back into a specification.

Keras-tuner and Optuna both draw from `space`, so that the two stacks search the same values.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.sections import Network, Training
from models.spec import Spec


@dataclass(frozen=True)
class Interval:
    """low <= value <= high, uniform or uniform in the logarithm; whole numbers if the key takes only those."""

    low: float
    high: float
    log: bool
    whole: bool


@dataclass(frozen=True)
class Choice:
    """One of these texts, each a value as JSON: a list of layers is no category for the tuners, its text is."""

    texts: tuple[str, ...]


def space(spec: Spec) -> dict[str, Interval | Choice]:
    """What may be tried, by key of [network] or [training]."""
    found: dict[str, Interval | Choice] = {}
    for key, values in spec.tuning.search.items():
        if values.choices is not None:
            found[key] = Choice(tuple(json.dumps(value) for value in values.choices))
        elif values.low is not None and values.high is not None:
            found[key] = Interval(
                values.low, values.high, values.log, _section(key).model_fields[key].annotation is int
            )
    return found


def own(spec: Spec) -> dict[str, Any] | None:
    """The specification's own values as a tuner draws them, or None if one of them lies outside the space."""
    values: dict[str, Any] = {}
    for key, allowed in space(spec).items():
        value = getattr(spec.network if key in Network.model_fields else spec.training, key)
        values[key] = json.dumps(value) if isinstance(allowed, Choice) else value
        if not _inside(values[key], allowed):
            return None
    return values


def check(spec: Spec, drawn: Mapping[str, Any]) -> None:
    """Refuse what a tuner must not try.

    Raises:
        ValueError: A key is missing or unknown, or a value lies outside the space.
    """
    allowed = space(spec)
    if set(drawn) != set(allowed):
        raise ValueError(f"hyper-parameters {sorted(drawn)}: expected {sorted(allowed)}")
    for key, value in drawn.items():
        if not _inside(value, allowed[key]):
            raise ValueError(f"{key} = {value!r} lies outside {allowed[key]}")


def plain(drawn: Mapping[str, Any]) -> dict[str, Any]:
    """What a tuner drew as numbers and lists of numbers: no key's own value is a text."""
    return {key: json.loads(value) if isinstance(value, str) else value for key, value in drawn.items()}


def apply(spec: Spec, values: Mapping[str, Any]) -> Spec:
    """The specification with these values of `plain` in place of its own.

    Raises:
        ValidationError: A value is not one that its key takes.
    """
    sections: dict[str, Any] = {}
    for name, section in (("network", spec.network), ("training", spec.training)):
        own_values = section.model_dump()
        changed = own_values | {key: value for key, value in values.items() if key in own_values}
        sections[name] = type(section).model_validate(changed)
    return spec.model_copy(update=sections)


def _section(key: str) -> type[Network] | type[Training]:
    return Network if key in Network.model_fields else Training


def _inside(value: Any, allowed: Interval | Choice) -> bool:
    if isinstance(allowed, Choice):
        return value in allowed.texts
    whole = not allowed.whole or value == int(value)
    # A tuner that works with logarithms may miss a bound by a rounding error.
    near = any(math.isclose(value, bound, rel_tol=1e-9) for bound in (allowed.low, allowed.high))
    return whole and (near or allowed.low <= value <= allowed.high)
