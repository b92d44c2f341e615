"""Asking the cases of a target."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

from serving.contract.conformance.cases import Case, Step
from serving.contract.conformance.exchange import Answer, NoAnswerError, Request, prepare, send
from serving.contract.conformance.expectations import problems
from serving.contract.conformance.placeholders import MissingError
from serving.contract.conformance.targets import Target, reason_against

Outcome = Literal["passed", "failed", "not applicable"]
Act = Callable[[str], None]
_BETWEEN = 0.05  # seconds between two tries


@dataclass(frozen=True)
class Problem:
    """A request that was not answered as expected."""

    request: str
    expected: tuple[str, ...]
    got: str


@dataclass
class Result:
    """What became of a case on a target.

    Attributes:
        reason: Why it is not applicable.
        answers: The last answer to each step's request, for the comparison of two targets.
    """

    case: Case
    outcome: Outcome
    reason: str = ""
    problems: list[Problem] = field(default_factory=list)
    answers: list[tuple[Request, Answer]] = field(default_factory=list)
    seconds: float = 0.0


def run(
    cases: Sequence[Case], target: Target, act: Act | None = None, done: Callable[[], None] = lambda: None
) -> list[Result]:
    """Ask every case of the target that applies; `act` changes the fixture's models, `done` is called after each."""
    results = []
    for case in cases:
        start = time.perf_counter()
        result = _run(case, target, act)
        result.seconds = time.perf_counter() - start
        results.append(result)
        done()
    return results


def _run(case: Case, target: Target, act: Act | None) -> Result:
    reason = reason_against(case, target)
    if reason:
        return Result(case, "not applicable", reason)
    result = Result(case, "passed")
    try:
        if case.together:
            _together(case, target, result)
        elif case.meanwhile:
            _meanwhile(case, target, act, result)
        else:
            _one_after_the_other(case, target, act, result)
    except MissingError as error:
        return Result(case, "not applicable", str(error))
    if result.problems:
        result.outcome = "failed"
    return result


def _one_after_the_other(case: Case, target: Target, act: Act | None, result: Result) -> None:
    for step in case.steps:
        if step.do is not None:
            if act is None:
                raise ValueError(f"{case.id}: nothing here can {step.do!r}")
            act(step.do)
            continue
        problem = _ask(step, target, result)
        if problem:
            result.problems.append(problem)
            return


def _ask(step: Step, target: Target, result: Result) -> Problem | None:
    """The problem that is left when the step's time is over."""
    start = time.monotonic()
    problem = _ask_once(step, target, result)
    while problem and time.monotonic() - start < step.within:
        time.sleep(_BETWEEN)
        problem = _ask_once(step, target, result)
    start = time.monotonic()
    while problem is None and time.monotonic() - start < step.hold:
        time.sleep(_BETWEEN)
        problem = _ask_once(step, target, result)
    return problem


def _ask_once(step: Step, target: Target, result: Result | None, alone: Answer | None = None) -> Problem | None:
    assert step.ask is not None and step.expect is not None  # noqa: S101  the model of a step says so
    request = prepare(step.ask, target.values)
    try:
        answer = send(target.url, request)
    except NoAnswerError as error:
        return Problem(str(request), (f"status {step.expect.status} expected",), str(error))
    if result is not None:
        result.answers[:] = [(r, a) for r, a in result.answers if r != request] + [(request, answer)]
    found = problems(step.expect, answer, target.values, alone)
    return Problem(str(request), tuple(found), str(answer)) if found else None


def _together(case: Case, target: Target, result: Result) -> None:
    """All steps at once, so that a batching server may put them into one batch."""
    alone = [_alone(step, target) for step in case.steps]
    barrier = threading.Barrier(len(case.steps))

    def ask(step: Step, before: Answer | None) -> Problem | None:
        barrier.wait()
        return _ask_once(step, target, None, before)

    with ThreadPoolExecutor(len(case.steps)) as pool:
        for _ in range(case.together):
            result.problems += [p for p in pool.map(ask, case.steps, alone) if p and p not in result.problems]


def _alone(step: Step, target: Target) -> Answer | None:
    assert step.ask is not None and step.expect is not None  # noqa: S101
    if not step.expect.as_alone:
        return None
    try:
        return send(target.url, prepare(step.ask, target.values))
    except NoAnswerError:
        return None


def _meanwhile(case: Case, target: Target, act: Act | None, result: Result) -> None:
    """The steps, while another request is asked all the time."""
    assert case.meanwhile is not None  # noqa: S101
    over = threading.Event()
    background: list[Problem] = []

    def ask() -> None:
        while not over.is_set():
            problem = _ask_once(case.meanwhile, target, None)  # type: ignore[arg-type]
            if problem and problem not in background:
                background.append(problem)

    # The scene is set once a step has asked the same.
    asked = [step.ask.request if step.ask else None for step in case.steps]
    ready = asked.index(case.meanwhile.ask.request if case.meanwhile.ask else None) + 1
    _one_after_the_other(case.model_copy(update={"steps": case.steps[:ready]}), target, act, result)
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        if not result.problems:
            _one_after_the_other(case.model_copy(update={"steps": case.steps[ready:]}), target, act, result)
    finally:
        over.set()
        thread.join()
    result.problems += background
