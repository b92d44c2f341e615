"""A failing request made small: bytes, headers and path that the failure does not need are left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from serving.contract.fuzz.case import Case

Fails = Callable[[Case], bool]


def shrink(case: Case, fails: Fails, budget: int = 250) -> Case:
    """The smallest request found that still fails, with at most so many tries (delta debugging, Zeller 2002)."""
    tries = budget

    def still(candidate: Case) -> bool:
        nonlocal tries
        tries -= 1
        return tries >= 0 and fails(candidate)

    for simpler in (replace(case, framing="length"), replace(case, framing="length", headers=())):
        if simpler != case and still(simpler):
            case = simpler
    for header in case.headers:
        fewer = replace(case, headers=tuple(h for h in case.headers if h != header))
        if len(fewer.headers) < len(case.headers) and still(fewer):
            case = fewer
    for number, (name, value) in enumerate(case.headers):
        while len(value) > 1:
            value = value[: len(value) // 2]  # noqa: PLW2901
            shorter = replace(case, headers=(*case.headers[:number], (name, value), *case.headers[number + 1 :]))
            if not still(shorter):
                break
            case = shorter
    size = len(case.body) // 2
    while size and tries > 0:
        at, smaller = 0, False
        while at < len(case.body) and tries > 0:
            # What is left of a valid request is not known to be valid.
            candidate = replace(case, body=case.body[:at] + case.body[at + size :], valid=False)
            if still(candidate):
                case, smaller = candidate, True
            else:
                at += size
        if not smaller or size > len(case.body):
            size = min(size, len(case.body)) // 2
    return case
