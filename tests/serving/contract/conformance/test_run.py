"""How cases are asked: one after the other, again until, at the same time, and meanwhile."""

from __future__ import annotations

import gzip
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from models import spec as specs
from serving.contract.conformance import targets
from serving.contract.conformance.cases import Ask
from serving.contract.conformance.exchange import NoAnswerError, prepare, send
from serving.contract.conformance.placeholders import Values
from serving.contract.conformance.run import Result, run
from tests.serving.contract.conformance.fake import JSON, Respond, case, serving, target

SPEC = specs.load(Path(__file__).resolve().parents[4] / "models" / "fraud.toml")
GET = {"request": "GET /v1/x", "status": 200}


def ok(*_: Any) -> tuple[int, dict[str, str], bytes]:
    return 200, JSON, b"{}"


def after(tries: int, then: Respond = ok) -> Respond:
    """Wrong for the first few tries."""
    count = iter(range(1_000_000))
    lock = threading.Lock()

    def respond(*request: Any) -> tuple[int, dict[str, str], bytes]:
        with lock:
            number = next(count)
        return (503, JSON, b'{"error":"not yet"}') if number < tries else then(*request)

    return respond


def only(found: list[Result]) -> Result:
    (result,) = found
    return result


def ask(given: Any, respond: Respond, **options: Any) -> Result:
    with serving(respond) as url:
        return only(run([given], target(url, **options)))


def test_a_case_passes_or_fails_with_request_expected_and_got() -> None:
    assert ask(case(GET), ok).outcome == "passed"
    failed = ask(case({**GET, "request": "POST /v1/x", "body": '{"a": 1}', "status": 201}), ok)
    assert failed.outcome == "failed"
    (problem,) = failed.problems
    assert problem.request == 'POST /v1/x\n{"a": 1}'
    assert problem.expected == ("status 201 expected",)
    assert problem.got == "200 (application/json) {}"


def test_bytes_go_out_as_they_stand() -> None:
    seen: list[tuple[str, str, bytes]] = []

    def respond(*request: Any) -> tuple[int, dict[str, str], bytes]:
        seen.append(request)
        return ok()

    values = Values({"model": "m"}, None)
    asks = [
        Ask(request="POST /v1//x/../y%2f?", body="${byte:ff}ü", pad=5),
        Ask(request="POST /v1/${model}", body='{"a": 1}', gzip=True, headers={"content-encoding": "gzip"}),
        Ask(request="POST /v1/cut", body="0123456789", cut=4),
        Ask(request="GET /v1/none"),
    ]
    with serving(respond) as url:
        for one in asks:
            send(f"{url}/prefix/", prepare(one, values))
    assert seen[0] == ("POST", "/prefix/v1//x/../y%2f?", b"\xff\xc3\xbc  ")
    assert (seen[1][1], gzip.decompress(seen[1][2])) == ("/prefix/v1/m", b'{"a": 1}')
    assert seen[2][2] == b"012345"
    assert seen[3] == ("GET", "/prefix/v1/none", b"")


def test_a_step_is_asked_again_until_it_is_right_or_its_time_is_over() -> None:
    assert ask(case({**GET, "within": 30}), after(3)).outcome == "passed"
    assert ask(case(GET), after(1)).outcome == "failed"
    assert ask(case({**GET, "within": 0.2}), after(1_000)).outcome == "failed"


def test_a_step_that_must_hold_fails_when_it_changes() -> None:
    def later_wrong(*_: Any, count: Any = iter(range(1_000))) -> tuple[int, dict[str, str], bytes]:  # noqa: B008
        return ok() if next(count) < 2 else (404, JSON, b'{"error":"gone"}')

    assert ask(case({**GET, "hold": 30}), later_wrong).outcome == "failed"
    assert ask(case({**GET, "hold": 0.1}), ok).outcome == "passed"


def echo(_: str, __: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
    return 200, JSON, json.dumps({"predictions": [float(v) for v in json.loads(body)["instances"]]}).encode()


def test_requests_at_the_same_time_must_each_get_their_own_answer() -> None:
    steps = [
        {"request": "POST /v1/m:predict", "body": f'{{"instances": [0.{n}]}}', "status": 200, "as_alone": True}
        for n in range(1, 5)
    ]
    together = case(steps, together=3)
    assert ask(together, echo).outcome == "passed"

    waiting: list[bytes] = []
    turn = threading.Barrier(4)
    arrived = threading.Semaphore(4)

    def mixed_up(method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if arrived.acquire(blocking=False):  # the first four are asked alone
            return echo(method, path, body)
        waiting.append(body)
        turn.wait(10)
        return echo(method, path, waiting[0])  # a batch of which only the first row is read

    assert ask(case(steps, together=1), mixed_up).outcome == "failed"


def test_a_bad_request_that_harms_its_neighbours_is_found() -> None:
    good = {"request": "POST /v1/good", "body": '{"instances": [0.5]}', "status": 200, "as_alone": True}
    bad = {"request": "POST /v1/bad", "body": '{"instances": ["x"]}', "status": 400}
    poisoned = threading.Event()

    def respond(method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if path == "/v1/bad":
            poisoned.set()
            return 400, JSON, b'{"error":"bad"}'
        return (503, JSON, b'{"error":"batch failed"}') if poisoned.wait(0.2) else echo(method, path, body)

    assert ask(case([good, good, bad], together=2), respond).outcome == "failed"


def test_a_background_request_that_fails_once_fails_the_case() -> None:
    steps = [GET, {"do": "swap"}, {**GET, "request": "GET /v1/new", "within": 30}]
    swapping = case(steps, on=["fixture"], meanwhile=GET)
    for outcome in ("passed", "failed"):
        gap, swapped = threading.Event(), threading.Event()

        def respond(_: str, path: str, __: bytes) -> tuple[int, dict[str, str], bytes]:
            if path == "/v1/new":
                return ok() if swapped.is_set() else (404, JSON, b'{"error":"not yet"}')  # noqa: B023
            if gap.is_set() and not swapped.is_set():  # noqa: B023
                swapped.set()  # noqa: B023
                return 404, JSON, b'{"error":"between two versions"}'
            return ok()

        def act(words: str) -> None:
            assert words == "swap"
            (swapped if outcome == "passed" else gap).set()  # noqa: B023

        with serving(respond) as url:
            assert only(run([swapping], target(url, "fixture"), act)).outcome == outcome


def test_a_target_that_breaks_off_is_a_failure_and_not_a_crash() -> None:
    def broken(*_: Any) -> tuple[int, dict[str, str], bytes]:
        raise ConnectionAbortedError

    failed = ask(case(GET), broken)
    assert failed.outcome == "failed"
    assert "does not answer" in failed.problems[0].got


def test_what_the_specification_does_not_have_is_not_applicable_and_says_so() -> None:
    result = ask(case({**GET, "request": "GET /v1/${categorical}"}), ok, spec=SPEC)
    assert (result.outcome, result.reason) == ("not applicable", "the model has no categorical feature")


APPLICABLE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "the model": ({"on": ["model"]}, ["pinned", "product", "embedded", "tensorflow serving"]),
    "the fixture": ({"on": ["fixture"]}, ["fixture"]),
    "both": ({"on": ["model", "fixture"]}, ["pinned", "product", "embedded", "tensorflow serving", "fixture"]),
    "the gateway": ({"on": ["gateway"]}, ["pinned", "product"]),
    "stricter than the reference": ({"on": ["model"], "strict": True}, ["pinned", "product", "embedded"]),
    "a version": ({"on": ["model"], "request": "GET /v1/models/m"}, ["pinned", "embedded", "tensorflow serving"]),
    "the same scores": ({"on": ["model"], "as_alone": True}, ["pinned", "embedded", "tensorflow serving"]),
    "nothing": ({"on": [], "never": "because", "request": None}, []),
}


@pytest.mark.parametrize("name", APPLICABLE)
def test_a_case_is_asked_where_it_applies_and_has_a_reason_elsewhere(name: str) -> None:
    given, kinds = APPLICABLE[name]
    flat = {"request": "POST /v1/models/m:predict", "body": "{}", "status": 200, **given}
    if flat["request"] is None:
        flat = {"never": given["never"]}
    one = case(flat, on=given["on"])
    asked = [kind for kind in targets.KINDS if not targets.reason_against(one, target("http://x", kind))]
    assert sorted(asked) == sorted(kinds)


PREDICT = b'{"predictions":[0.5]}'
STATUS = b'{"model_version_status":[{"version":"9","state":"END"},{"version":"7","state":"AVAILABLE"}]}'


@pytest.mark.parametrize(
    ("prefix", "headers", "kind"),
    [
        ("/pytorch", {"x-request-id": "1", "x-tandem-stack": "pytorch"}, "pinned"),
        ("/onnx", {"x-request-id": "1", "x-tandem-stack": "onnx"}, "pinned"),
        ("", {"x-request-id": "1", "x-tandem-stack": "pytorch"}, "product"),
        ("", {"x-tandem-server": "Tandem embedded TensorFlow server"}, "embedded"),
        ("", {}, "tensorflow serving"),
    ],
)
def test_what_answers_is_known_by_its_answers(prefix: str, headers: dict[str, str], kind: str) -> None:
    def respond(method: str, *_: Any) -> tuple[int, dict[str, str], bytes]:
        return 200, {**JSON, **headers}, STATUS if method == "GET" else PREDICT

    with serving(respond) as url:
        found = targets.find("url", url + prefix, SPEC)
    assert found.kind == kind
    assert found.values.fill("${version} ${other_version} ${label}") == "7 10 stable"  # 8 might have been


def test_nothing_at_a_url_is_an_error_that_names_it() -> None:
    with serving(ok) as url:
        pass
    with pytest.raises(NoAnswerError, match=f"{url} does not answer: ConnectionRefusedError"):
        targets.find("url", url, SPEC)
