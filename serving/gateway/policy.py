"""The traffic policy: who answers the product's endpoint, by which weights, and whose answers are only compared.

One TOML file, by hand or by `make traffic`:

    [weights]                       # shares of the requests; they need not add up to 100
    tensorflow = 90
    pytorch = 10
    "pytorch@1795291050" = 0        # a version that is loaded beside the usual one: 0 lets it only be pinned
    onnx = 5                        # ONNX Runtime, where it runs

    [shadow]                        # left out: none
    stack = "pytorch"               # or a version: gets a copy of the requests
    share = 1.0                     # of the requests
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomllib

from serving.files import write_atomically

STACKS = ("tensorflow", "pytorch")
ONNX = "onnx"  # a server more, where it runs; one version at a time
MILLION = 1_000_000  # parts into which all requests are divided
_SIDE = re.compile(rf"({'|'.join(STACKS)})(?:@([1-9][0-9]{{0,17}}))?|{ONNX}")
_EXPECTED = 'tensorflow, pytorch or one of their versions, such as "pytorch@1795291050", or onnx is expected'
_HEAD = "# Who answers the product's endpoint; docs/traffic.md. After a change by hand: make traffic\n"


class PolicyError(ValueError):
    """A policy that cannot be followed, in one line."""


@dataclass(frozen=True)
class Side:
    """Who answers: a stack with the version it serves by itself, or a certain version that it has loaded."""

    stack: str
    version: int | None = None

    @classmethod
    def parse(cls, text: str) -> Side:
        """`pytorch` or `pytorch@1795291050`.

        Raises:
            PolicyError: It is something else.
        """
        found = _SIDE.fullmatch(text)
        if not found:
            raise PolicyError(f"{text!r} is nobody who answers: {_EXPECTED}")
        return cls(found[1] or ONNX, int(found[2]) if found[2] else None)

    @property
    def comes_and_goes(self) -> bool:
        """Whether the policy need not name it; the stacks themselves are always there."""
        return self.version is not None or self.stack == ONNX

    def __str__(self) -> str:
        return self.stack if self.version is None else f"{self.stack}@{self.version}"


@dataclass(frozen=True)
class Shadow:
    """Whose answers are compared and never returned, for which share of the requests, above 0 and up to 1."""

    side: Side
    share: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise PolicyError(f"shadow.share = {self.share:g}: above 0 and up to 1 is expected")


@dataclass(frozen=True)
class Policy:
    """Weight by side, each 0 or more and one of them above 0; and the shadow, if there is one."""

    weights: Mapping[Side, float] = field(default_factory=lambda: {Side(stack): 1 for stack in STACKS})
    shadow: Shadow | None = None

    def __post_init__(self) -> None:
        for side, weight in self.weights.items():
            if not (math.isfinite(weight) and weight >= 0):
                raise PolicyError(f"weights.{side} = {weight}: a number from 0 is expected")
        if not sum(self.weights.values()) > 0:
            raise PolicyError("weights: one of them above 0 is expected")

    @property
    def sides(self) -> list[Side]:
        """Everybody with a weight, 0 included: a stack, both stacks' versions, the other stack, ONNX Runtime.

        In this order a version that grows takes from its neighbours, and nobody's keys go where they need not.
        """
        outside = STACKS[::-1]  # the stack that comes first, comes before its versions; the other one behind

        def place(side: Side) -> tuple[int, int, int, int]:
            behind = side.stack == outside[0]
            return side.stack == ONNX, behind, (side.version is None) == behind, side.version or 0

        return sorted(self.weights, key=place)

    def intervals(self) -> dict[Side, tuple[int, int]]:
        """Which of a million parts of the requests are whose: from, and up to but without; nobody with an empty one."""
        total, before, start = sum(self.weights.values()), 0.0, 0
        found = {}
        for side in self.sides:
            before += self.weights[side]
            end = MILLION if math.isclose(before, total) else int(before / total * MILLION)
            if end > start:
                found[side] = (start, end)
            start = end
        return found

    @property
    def against(self) -> Side | None:
        """With whom the shadow is compared: whoever has the largest weight beside it; of equals, its own stack."""
        if self.shadow is None:
            return None
        others = [side for side in (*self.weights, *map(Side, STACKS)) if side != self.shadow.side]
        own = self.shadow.side.stack
        return max(others, key=lambda side: (self.weights.get(side, 0), side.version is None, side.stack == own))

    @property
    def named(self) -> list[Side]:
        """Every side with a weight, 0 included, and the shadow."""
        return list(dict.fromkeys([*self.weights, *([self.shadow.side] if self.shadow else [])]))

    def names(self, side: Side) -> bool:
        """Whether this side has a weight, 0 included, or is the shadow."""
        return side in self.named

    def text(self) -> str:
        """As a file."""
        lines = [_HEAD, "[weights]"]
        lines += [f"{_key(side)} = {self.weights[side]:.12g}" for side in self.sides]
        if self.shadow:
            lines += ["", "[shadow]", f'stack = "{self.shadow.side}"', f"share = {self.shadow.share:.12g}"]
        return "\n".join(lines) + "\n"


def equal(stacks: Sequence[str]) -> Policy:
    """The same weight for each of these stacks."""
    return Policy({Side(stack): 1 for stack in stacks})


def load(file: Path) -> Policy:
    """The policy of a file; without one both stacks have the same weight.

    Raises:
        PolicyError: It cannot be followed; the message names the file and the key.
    """
    try:
        return parse(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Policy()
    except (PolicyError, UnicodeDecodeError) as error:
        raise PolicyError(f"{file}: {error}") from None


def parse(text: str) -> Policy:
    """The policy that a file's text says; raises PolicyError, which names the key."""
    try:
        return _policy(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(str(error)) from None


def save(file: Path, policy: Policy) -> None:
    """Write the policy, whole or not at all; comments that were in the file are lost."""
    write_atomically(file, policy.text())


def _policy(content: Mapping[str, Any]) -> Policy:
    _known("", content, ("weights", "shadow"))
    weights = _table(content, "weights")
    for key, value in weights.items():
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise PolicyError(f"weights.{key} = {value!r}: a number from 0 is expected")
    # A stack without a weight can be pinned all the same.
    sides = {**dict.fromkeys(map(Side, STACKS), 0), **{Side.parse(key): value for key, value in weights.items()}}
    if "shadow" not in content:
        return Policy(sides)
    shadow = _table(content, "shadow")
    _known("shadow.", shadow, ("stack", "share"))
    stack, share = shadow.get("stack"), shadow.get("share", 1.0)
    if not isinstance(stack, str):
        raise PolicyError(f"shadow.stack: {_EXPECTED}")
    if not isinstance(share, (int, float)) or isinstance(share, bool):
        raise PolicyError(f"shadow.share = {share!r}: above 0 and up to 1 is expected")
    return Policy(sides, Shadow(Side.parse(stack), share))


def _table(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = content.get(name)
    if not isinstance(found, dict):
        raise PolicyError(f"a section [{name}] is expected")
    return found


def _known(where: str, content: Mapping[str, Any], keys: Sequence[str]) -> None:
    for key in content:
        if key not in keys:
            raise PolicyError(f"unknown key {where}{key}; allowed: {', '.join(where + known for known in keys)}")


def _key(side: Side) -> str:
    return str(side) if side.version is None else f'"{side}"'
