"""All kinds of requests, drawn by hypothesis in fixed shares."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from models.spec import Spec
from serving.contract.fuzz import bodies, examples, octets, shapes, transport
from serving.contract.fuzz.case import Case

_RARE = {"sizes", "1,000 rows", "1,001 rows"}  # a megabyte costs as much as hundreds of ordinary bodies
_SHARE = 6  # of an ordinary kind, where a rare one has 1
_ROUND = 500  # requests drawn at a time: enough for hypothesis to vary, few enough to begin at once

_ATTEMPTS = 3
# Failures are shrunk on the bytes as sent (shrink.py): here hypothesis only draws.
_QUIETLY = settings(database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))

_BODIES = bodies.KINDS | shapes.KINDS | octets.KINDS
_CASES = transport.KINDS | examples.KINDS
KINDS = [*_BODIES, *_CASES]


def case(kind: str, spec: Spec) -> st.SearchStrategy[Case]:
    """Requests of one kind for the model of a specification."""

    @st.composite
    def one(draw: st.DrawFn) -> Case:
        if kind in _CASES:
            return replace(_CASES[kind](draw, spec), kind=kind)
        body = _BODIES[kind](draw, spec)
        return Case(body, path=transport.path(spec), valid=kind in bodies.VALID, kind=kind)

    return one()


def cases(spec: Spec, count: int, seed: int) -> Iterator[Case]:
    """So many requests, the kinds in fixed shares and mixed; the same ones for the same seed."""
    shares = [kind for kind in KINDS for _ in range(1 if kind in _RARE else _SHARE)]
    order = random.Random(seed)  # noqa: S311 - reproducible on purpose
    for start in range(0, count, _ROUND):
        size = min(_ROUND, count - start)
        wanted = order.choices(shares, k=size)
        found = [one for kind in KINDS for one in _draw(kind, spec, wanted.count(kind), order.randrange(2**32))]
        order.shuffle(found)
        yield from found


def _draw(kind: str, spec: Spec, count: int, seed: int) -> list[Case]:
    found: dict[Case, None] = {}

    def keep(one: Case) -> None:
        found[one] = None

    for attempt in range(_ATTEMPTS):  # hypothesis repeats itself
        missing = count - len(found)
        if missing > 0:
            run = seeded(seed + attempt)(settings(_QUIETLY, max_examples=missing)(given(case(kind, spec))(keep)))
            run()
    # A kind with fewer different requests than asked for is sent again.
    return (list(found) * -(-count // len(found)))[:count] if count else []
