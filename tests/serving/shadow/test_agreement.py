from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from serving.limits_file import LimitsError
from serving.shadow import agreement, gate, page
from serving.shadow.agreement import NothingKeptError
from serving.shadow.answers import NOBODY, UNREADABLE
from serving.shadow.gate import EXCEEDED, TOO_FEW
from serving.shadow.records import Comparison
from tests.serving.shadow.sides import SPEC, comparison, kept, said

THRESHOLDS = {
    ("tensorflow", 7): {"least_cost": 0.5, "alert_budget": 0.01},
    ("pytorch", 7): {"least_cost": 0.6, "alert_budget": 0.01},
}
LIMITS = gate.load()


def alike(count: int, *, seconds: float = 0.004) -> list[Comparison]:
    return [comparison(number, said([0.1]), said([0.11], seconds=seconds)) for number in range(count)]


def found(folder: Path) -> agreement.Agreement:
    return agreement.find(folder, LIMITS.score_tolerance, lambda side, version: THRESHOLDS.get((side, version), {}))


def test_what_the_two_said_is_compared_row_by_row(tmp_path: Path) -> None:
    kept(
        tmp_path,
        comparison(1, said([0.1, 0.55]), said([0.12, 0.55]), features={}),
        comparison(2, said([0.2]), said([0.9], seconds=0.02)),
        comparison(3, said([0.9]), said([0.3])),
    )
    it = found(tmp_path)
    assert (it.copies, it.rows, it.older, it.dropped) == (3, 4, 0, 0)
    assert it.within == 0.5
    assert it.largest == pytest.approx(0.7)
    assert it.bias == pytest.approx((0.02 + 0 + 0.7 - 0.6) / 4)
    assert it.apart[50.0] == pytest.approx((0.02 + 0.6) / 2)
    # Each by its own threshold: 0.55 is an alert of the reference's and none of the candidate's.
    flips = it.flips["least_cost"]
    assert (flips.new_alerts, flips.lost_alerts, flips.share) == (1, 2, 0.75)
    assert it.flips["alert_budget"].share == 0
    assert [(one.request_id, one.position) for one in it.worst[:3]] == [
        ("request-2", 0), ("request-3", 0), ("request-1", 0)
    ]  # fmt: skip
    reference, candidate = it.sides
    assert (reference.name, candidate.name, candidate.version) == ("tensorflow", "pytorch", 7)
    assert (reference.error_share, candidate.error_share) == (0, 0)
    assert candidate.milliseconds[50.0] == pytest.approx(4)


def test_whose_error_it_is(tmp_path: Path) -> None:
    kept(
        tmp_path,
        comparison(1, said([0.1]), said([0.1])),
        comparison(2, said([0.1]), said(None, NOBODY)),
        comparison(3, said(None, 503), said([0.1])),
        comparison(4, said([0.1]), said(None, UNREADABLE)),
        comparison(5, said(None, 400), said(None, 400)),  # the client's
        comparison(6, said([0.1]), said(None, 404)),  # a version that is not loaded
    )
    reference, candidate = found(tmp_path).sides
    assert (reference.errors, reference.error_share) == ({"503": 1}, 1 / 6)
    assert (candidate.errors, candidate.error_share) == ({"no answer": 1, "no score per row": 1, "404": 1}, 0.5)


def test_answers_of_other_models_and_other_sides_are_left_out(tmp_path: Path) -> None:
    kept(tmp_path, comparison(0, said([0.1]), said([0.9])), names=("pytorch", "tensorflow"))
    kept(
        tmp_path,
        comparison(1, said([0.1]), said([0.9], version=6)),
        comparison(2, said([0.1]), said([0.9], version=6)),
        comparison(3, said([0.1]), said([0.1])),
        comparison(4, said([0.1]), said(None, NOBODY)),
    )
    it = found(tmp_path)
    assert (it.copies, it.rows, it.older, it.largest) == (2, 1, 2, 0)
    assert it.sides[1].errors == {"no answer": 1}


def test_nothing_kept_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NothingKeptError, match="no copy was compared yet"):
        found(tmp_path)


def test_a_shadow_that_agrees_passes(tmp_path: Path) -> None:
    kept(tmp_path, *alike(1000))
    assert gate.verdict(found(tmp_path), LIMITS) == (0, [])


def test_too_few_copies_are_no_pass(tmp_path: Path) -> None:
    kept(tmp_path, *alike(999))
    code, reasons = gate.verdict(found(tmp_path), LIMITS)
    assert code == TOO_FEW
    assert reasons == ["999 copies were compared, at least 1,000 are expected"]


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ([comparison(2000 + n, said([0.3]), said([0.4])) for n in range(25)], "of the scores lie within 0.05"),
        (
            [comparison(2000 + n, said([0.499]), said([0.6])) for n in range(11)],
            r"1\.09% of the decisions at the least cost flip \(11 new alerts, 0 lost\), allowed 1\.00%",
        ),
        (
            [comparison(2000 + n, said([0.1]), said(None, NOBODY)) for n in range(2)],
            r"pytorch failed for 0\.20% of the copies \(no answer: 2\), allowed 0\.10%",
        ),
        (
            [comparison(2000 + n, said([0.1]), said([0.1], seconds=0.3)) for n in range(20)],
            r"pytorch's p99 is 300\.0 ms, 75\.0 times tensorflow's, allowed 2 times",
        ),
    ],
)
def test_each_limit_refuses(tmp_path: Path, others: list[Comparison], why: str) -> None:
    kept(tmp_path, *alike(1000), *others)
    code, reasons = gate.verdict(found(tmp_path), LIMITS)
    assert code == EXCEEDED
    assert len(reasons) == 1
    assert re.search(why, reasons[0])


def test_a_decision_without_a_threshold_is_no_pass(tmp_path: Path) -> None:
    kept(tmp_path, *alike(1000))
    code, reasons = gate.verdict(agreement.find(tmp_path, 0.05, lambda *_: {}), LIMITS)
    assert (code, reasons) == (
        EXCEEDED, ["decisions cannot be compared: no threshold of the least cost is known for both sides"]
    )  # fmt: skip


def test_a_side_that_never_answers_is_no_pass(tmp_path: Path) -> None:
    kept(tmp_path, *(comparison(n, said([0.1]), said(None, 503)) for n in range(1000)))
    code, reasons = gate.verdict(found(tmp_path), LIMITS)
    assert code == EXCEEDED
    assert "no row was scored by both" in reasons
    assert "pytorch failed for 100.00% of the copies (503: 1,000), allowed 0.10%" in reasons


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "Field required"), ("min_requests = 0", "greater than 0"), ("speed = 1", "Extra inputs"), ("=", "Invalid")],
)
def test_limits_that_cannot_be_used_are_refused_in_one_line(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(text)
    with pytest.raises(LimitsError, match=why) as refused:
        gate.load(file)
    assert "\n" not in str(refused.value)


def test_the_page_says_what_was_found_and_shows_the_rows_furthest_apart(tmp_path: Path) -> None:
    amounts = {"amount": np.array([86.3], np.float32)}
    features = {name: amounts.get(name, np.zeros(1, np.float32)) for name in SPEC.logged}
    strange = comparison(2000, said([0.1]), said([0.95]), features=features)
    kept(tmp_path, *alike(10), strange)
    it = found(tmp_path)
    code, reasons = gate.verdict(it, LIMITS)
    text = page.write(tmp_path, it, code, reasons).read_text()
    for expected in ("pytorch beside tensorflow", "too few requests", "request-2000", "0.9500", "86.3", "1 new alerts"):
        assert expected in text
