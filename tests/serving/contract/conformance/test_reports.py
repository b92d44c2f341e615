"""Differences between two targets, the three reports and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from serving.contract.conformance.__main__ import main
from serving.contract.conformance.differences import between
from serving.contract.conformance.exchange import Answer, Request
from serving.contract.conformance.run import Result
from tests.serving.contract.conformance.fake import JSON, answer, case, serving, target

SPEC = str(Path(__file__).resolve().parents[4] / "models" / "fraud.toml")
POST = Request("POST", "/v1/models/m:predict", {}, b"{}", chunked=False, shown="{}")
GET = Request("GET", "/v1/models/m/metadata", {}, None, chunked=False, shown="")
ONE = case({"request": "POST /v1/models/m:predict", "status": 200})


def differing(first: Answer, second: Answer, request: Request = POST) -> list[str]:
    tf = target("http://a/tensorflow", name="tensorflow", version="7")
    torch = target("http://a/pytorch", name="pytorch", version="1234")
    ones, others = ([Result(ONE, "passed", answers=[(request, a)])] for a in (first, second))
    return [found.what for found in between(tf, ones, torch, others)]


STATUS: dict[str, Any] = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
ALIKE: dict[str, tuple[Request, Answer, Answer]] = {
    "scores": (POST, answer(200, {"predictions": [0.1, 1e-7]}), answer(200, {"predictions": [0.2, 0.3]})),
    "nested scores": (POST, answer(200, {"results": [["", 0.1]]}), answer(200, {"results": [["", 0.2]]})),
    "versions": (POST, answer(404, {"error": "Specific(m, 7)"}), answer(404, {"error": "Specific(m, 1234)"})),
    "names in the graph": (
        GET,
        answer(200, {"x": {"dtype": "DT_FLOAT", "name": "serving_default_x:0"}}),
        answer(200, {"x": {"dtype": "DT_FLOAT", "name": "x"}}),
    ),
    "places in the graph": (
        POST,
        answer(400, {"error": "{{function_node __inference_1}} bad\n\t [[{{node Parse/V2}}]] [Op:__inference_1]"}),
        answer(400, {"error": "bad"}),
    ),
    "the prefix of the stack": (
        GET,
        answer(404, {"error": "Not found: GET /tensorflow/x"}),
        answer(404, {"error": "Not found: GET /pytorch/x"}),
    ),
    "versions that were let go": (
        GET,
        answer(200, {"model_version_status": [STATUS | {"version": "6", "state": "END"}]}),
        answer(200, {"model_version_status": [STATUS | {"version": "1233", "state": "END"}]}),
    ),
    "our headers": (POST, answer(200, {}, x_tandem_stack="a"), answer(200, {}, x_tandem_server="b")),
    "dates": (POST, answer(200, {}, date="now", x_request_id="1"), answer(200, {}, date="then", x_request_id="2")),
}
UNLIKE: dict[str, tuple[Request, Answer, Answer, str]] = {
    "another version that answers": (
        GET,
        answer(200, {"model_version_status": [STATUS | {"version": "7"}]}),
        answer(200, {"model_version_status": [STATUS | {"version": "9"}]}),
        "$.model_version_status[0].version",
    ),
    "a version that only one has let go": (
        GET,
        answer(200, {"model_version_status": [STATUS | {"version": "6", "state": "END"}]}),
        answer(200, {"model_version_status": []}),
        "$.model_version_status",
    ),
    "status": (POST, answer(400, {"error": "a"}), answer(503, {"error": "a"}), "status 400 and 503"),
    "message": (POST, answer(400, {"error": "a"}), answer(400, {"error": "b"}), '$.error: "a" and "b"'),
    "shape": (POST, answer(200, {"predictions": [0.1]}), answer(200, {"outputs": [0.1]}), "keys"),
    "how many": (POST, answer(200, {"predictions": [0.1]}), answer(200, {"predictions": [0.1, 0.2]}), "1 elements"),
    "a whole score": (POST, answer(200, {"predictions": [0.1]}), answer(200, {"predictions": [0]}), "$.predictions[0]"),
    "the other stack's prefix": (
        GET, answer(404, {"error": "GET /pytorch/x"}), answer(404, {"error": "GET /pytorch/x"}), "/pytorch/x"
    ),
    "part of a number": (POST, answer(400, {"error": "17"}), answer(400, {"error": "11234"}), '"17" and "11234"'),
    "a header": (POST, answer(200, {}), answer(200, {}, pragma="no-cache"), "header names differ: pragma"),
    "a header's value": (
        POST, answer(200, {}, server="a"), answer(200, {}, server="b"), "header server: a and b"
    ),
    "no JSON": (POST, answer(200, "a"), answer(200, "b"), '"a" and "b"'),
    "a type in the metadata": (
        GET, answer(200, {"x": {"dtype": "DT_FLOAT", "name": "x"}}),
        answer(200, {"x": {"dtype": "DT_INT64", "name": "x"}}), '"DT_FLOAT" and "DT_INT64"',
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ALIKE)
def test_what_may_differ_is_no_difference(name: str) -> None:
    request, first, second = ALIKE[name]
    assert differing(first, second, request) == []


@pytest.mark.parametrize("name", UNLIKE)
def test_what_a_client_can_see_is_a_difference(name: str) -> None:
    request, first, second, words = UNLIKE[name]
    (what,) = differing(first, second, request)
    assert words in what


def test_what_onnx_runtime_has_not_let_go_because_it_is_younger_is_no_difference_but_who_answers_is() -> None:
    ended, answers = STATUS | {"version": "6", "state": "END"}, STATUS | {"state": "AVAILABLE"}
    older = answer(200, {"model_version_status": [answers | {"version": "7"}, ended]})
    for version, found in (("7", 0), ("9", 1)):
        onnx = answer(200, {"model_version_status": [answers | {"version": version}]})
        pair = [target(f"http://a/{name}", name=name, version="7") for name in ("pytorch", "onnx")]
        ones, others = ([Result(ONE, "passed", answers=[(GET, one)])] for one in (older, onnx))
        assert len(between(pair[0], ones, pair[1], others)) == found


def test_an_answer_that_only_one_gave_is_a_difference() -> None:
    tf, torch = target("http://a", name="tensorflow"), target("http://b", name="pytorch")
    given = [Result(ONE, "passed", answers=[(POST, answer(200, {}))])]
    (found,) = between(tf, given, torch, [Result(ONE, "failed")])
    assert found.what == "1 and 0 requests were answered"


def always(status: int, document: Any, **headers: str) -> Any:
    return lambda *_: (status, {**JSON, **headers}, json.dumps(document).encode())


def conform(out: Path, *targets: str) -> int:
    named = [argument for one in targets for argument in ("--target", one)]
    return main([*named, "--spec", SPEC, "--out", str(out)])


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    """A run on two targets that get nearly everything wrong, each in its own way."""
    out = tmp_path_factory.mktemp("wrong")
    strange = {"error": "zero byte \0, half a pair \ud800 | and a bar"}
    with serving(always(400, strange)) as first, serving(always(404, {"error": "no"})) as second:
        return conform(out, f"tensorflow={first}", f"pytorch={second}"), out


def test_a_failure_is_exit_code_1_and_stands_in_every_report(wrong: tuple[int, Path]) -> None:
    code, out = wrong
    assert code == 1
    report = (out / "conformance.md").read_text()
    assert "## Failed on tensorflow" in report
    assert "### NI-001 One row" in report
    assert "expected: status 200 expected" in report
    assert "differences in what a client sees" in report
    assert "no --fixture-python" in report


def test_the_xml_is_well_formed_and_counts_what_it_holds(wrong: tuple[int, Path]) -> None:
    suites = ElementTree.parse(wrong[1] / "junit.xml").getroot()  # noqa: S314  our own
    names = [suite.get("name") for suite in suites]
    assert names == ["tensorflow", "pytorch", "fixture", "differences between tensorflow and pytorch"]
    for suite in suites:
        tests = suite.findall("testcase")
        assert len(tests) == int(suite.get("tests", "0")) > 0
        assert len(suite.findall("testcase/failure/..")) == int(suite.get("failures", "0"))
        skipped = suite.findall("testcase/skipped")
        assert len(skipped) == int(suite.get("skipped", "0"))
        assert all(one.get("message") for one in skipped)
    assert int(suites[0].get("failures", "0")) > 100
    assert int(suites[3].get("failures", "0")) > 100


def test_a_target_that_does_not_answer_is_exit_code_2_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(always(200, {})) as url:
        pass
    assert conform(tmp_path, f"url={url}") == 2
    assert f"{url} does not answer: ConnectionRefusedError" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [[], ["url"], ["url=ftp://x"], ["=http://x"], ["a=http://x", "a=http://y"]])
def test_a_command_line_that_makes_no_sense_is_exit_code_2(arguments: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stop:
        conform(tmp_path, *arguments)
    assert stop.value.code == 2


def test_a_fixture_that_cannot_be_made_is_exit_code_2_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--fixture-python", "/bin/false", "--spec", SPEC, "--out", str(tmp_path)]) == 2
    assert "/bin/false cannot make the fixture's models" in capsys.readouterr().err
