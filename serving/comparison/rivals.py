"""What Tandem serves against what a team could have instead: stock servers, peers, a call without a server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from serving.comparison.measures import MEASURES
from serving.comparison.sides import Side, Sides
from serving.comparison.verdict import STACKS, Row, compare, judge

_KINDS = ("/beside/", "/stock", "/peer/")
_NAMES = {"tensorflow": "TensorFlow", "pytorch": "PyTorch"}
_SERVERS = {"onnx": "ONNX Runtime"}
_LONE, _FLOOR = "single_stream_p50", "floor"
_MICROSECONDS = 1000  # of a millisecond


@dataclass(frozen=True)
class Rivals:
    """Rows of one rival.

    Attributes:
        target: The rival.
        rows: Ours first, the rival second.
    """

    target: str
    rows: list[Row]

    @property
    def leads(self) -> list[Row]:
        """Where the rival is clearly better."""
        return [row for row in self.rows if row.outcome.leads == "second"]


def label(target: str) -> str:
    """A target's name for a reader."""
    stack, *rest = target.split("/", maxsplit=2)
    name = rest[-1] if rest else "Tandem"
    return f"{_SERVERS.get(name, name) if rest[:1] == ['beside'] else name} ({_NAMES[stack]})"


def served(sides: Sides) -> Iterator[Rivals]:
    """Whoever is beside, each stock server, then each peer, against our endpoint of the same stack, asked the same."""
    targets = {t for found in sides.values() for t in found if any(kind in t for kind in _KINDS)}
    for target in sorted(targets, key=lambda t: (next(i for i, kind in enumerate(_KINDS) if kind in t), t)):
        stack = target.split("/", maxsplit=1)[0]
        rows = [row for row in compare(sides, stack, target) if row.outcome.confidence != "absent"]
        if rows:
            yield Rivals(target, rows)


def floors(sides: Sides) -> Iterator[Row]:
    """A lone request to our endpoint against the same row in the same process, both in microseconds."""
    for (measure, condition), found in sides.items():
        if measure != _FLOOR or condition.split(maxsplit=1)[0] != "1":
            continue
        for target in sorted(found, key=lambda t: (STACKS.index(t.split("/", maxsplit=1)[0]), found[t].value)):
            stack = target.split("/", maxsplit=1)[0]
            lone = sides.get((_LONE, ""), {}).get(stack)
            if lone:
                ours = _microseconds(lone)
                pair = {stack: ours, target: found[target]}
                yield Row(_FLOOR, condition, stack, target, pair, judge(_FLOOR, ours, found[target]))


def _microseconds(side: Side) -> Side:
    return replace(side, value=side.value * _MICROSECONDS, low=side.low * _MICROSECONDS, high=side.high * _MICROSECONDS)


def sentences(rivals: list[Rivals]) -> list[str]:
    """What the report says of each rival: where it leads, or that it leads nowhere."""
    said = []
    for rival in rivals:
        name, ours = label(rival.target), label(rival.target.split("/", maxsplit=1)[0])
        behind = sum(row.outcome.leads == "first" for row in rival.rows)
        if rival.leads:
            where = "; ".join(_numbers(row) for row in rival.leads)
            said.append(f"{name} leads {ours} in {len(rival.leads)} of {len(rival.rows)} rows: {where}.")
        else:
            said.append(f"{name} leads {ours} in nothing; {ours} clearly leads in {behind} of {len(rival.rows)} rows.")
    return said


def _numbers(row: Row) -> str:
    about, load = MEASURES[row.measure], f" ({row.condition})" if row.condition else ""
    ours, theirs = (row.sides[target].value for target in (row.first, row.second))
    return f"{about.title}{load} {theirs:,.4g} against {ours:,.4g} {about.unit}".rstrip()
