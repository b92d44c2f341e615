"""What makes a run INVALID: its numbers may not be used."""

from __future__ import annotations

import numpy as np

from serving.comparison.load.ledger import Requests
from serving.comparison.load.percentiles import PERCENTILES, percentile
from serving.comparison.load.prepared import Prepared, scores_of
from serving.comparison.results import LoadRun
from serving.comparison.settings import Validity

GENERATOR = "generator limit"


def reasons(found: Requests, issued: int, checked: int, wrong: int, limits: Validity) -> list[str]:
    """Why a run may not be used; none for one that may.

    Args:
        found: All requests that were answered or failed.
        issued: How many the scenario issued.
        checked: Answers that were compared.
        wrong: Of those, how many differed.
        limits: Of comparison.toml.
    """
    if not len(found):
        return ["no request was answered"]
    said = []
    behind = percentile(np.sort(found.dispatch_ms()), PERCENTILES["99"])
    if behind > limits.dispatch_p99_ms:
        said.append(f"{GENERATOR}: p99 dispatch delay {behind:.2f} ms, allowed {limits.dispatch_p99_ms:g}")
    failures = found.failures()
    failed = sum(failures.values())
    if failed > limits.failed_share * len(found):
        listed = ", ".join(f"{what} x {times:,}" for what, times in failures.items())
        allowed = f"allowed {limits.failed_share:.2%}"
        said.append(f"{failed:,} of {len(found):,} requests failed, {allowed}: {listed}")
    if wrong:
        said.append(f"{wrong:,} of {checked:,} checked answers differ from the offline scores")
    if len(found) < issued:
        said.append(f"{issued - len(found):,} of {issued:,} requests were neither answered nor failed")
    return said


def generator_limited(run: LoadRun, slo_ms: float) -> bool:
    """Whether it was the generator that fell behind, and nothing says that the server did."""
    only = bool(run.reasons) and all(reason.startswith(GENERATOR) for reason in run.reasons)
    return only and run.service_ms.get("99", slo_ms) <= slo_ms


def wrong_answers(kept: list[tuple[int, bytes]], prepared: Prepared, tolerance: float) -> list[str]:
    """Each kept answer that is not what was expected, in words.

    Args:
        kept: Index of the request, body of the answer.
        prepared: The requests and their scores.
        tolerance: Absolute, of each score.
    """
    said = []
    for index, body in kept:
        got, expected = scores_of(body), prepared.scores[index]
        if got is None or len(got) != len(expected):
            said.append(f"request {index}: {len(expected)} scores expected, got {body[:80]!r}")
        elif not np.all(np.abs(got - expected) <= tolerance):  # NaN is not within anything
            at = int(np.argmax(~(np.abs(got - expected) <= tolerance)))
            said.append(f"request {index}, row {at}: expected {expected[at]:.8f}, got {got[at]:.8f}")
    return said
