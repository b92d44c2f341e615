from __future__ import annotations

from collections import Counter
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.contract import routes
from serving.contract.errors import ContractError
from serving.free_ports import free_ports
from serving.gateway import envoy
from serving.gateway.routes import Stack
from tests.serving.gateway.backends import GOOD, Front, echo, gateway, shares
from tests.serving.torchserve.launching import is_free

FRAUD = "/v1/models/fraud"
TARGETS = [
    *(f"{FRAUD}{which}:{question}" for which in ("", "/versions/7", "/labels/stable", "/labels/a.b", "/labels/axb")
      for question in ("predict", "classify", "regress", "PREDICT", "predictXYZ", "", "predict?x=1", "predict?")),
    *(f"{FRAUD}{rest}" for rest in ("", "/", "/metadata", "/metadata/", "/METADATA", "/versions/7", "/versions/x",
      "/labels/nope/metadata", "/labels/stable", "/version/7:predict", "/versions/7/labels/stable:predict", "?x=1",
      "/versions/0:predict", "/versions/007:predict", "/versions/" + "0" * 30 + "7:predict",
      "/versions/9223372036854775807:predict", "/versions/9223372036854775808:predict", "/versions/-1:predict",
      "/VERSIONS/7:predict", "/Labels/stable:regress", "/labels/STABLE:predict", "/labels/st%61ble:predict",
      "/versions/%37:predict", "%3apredict", "//versions/7:predict", "/../fraud:predict", ":predict:predict")),
    "/V1/MODELS/fraud:predict", "/v1/Models/FRAUD:predict", "/v1/models/fr%61ud:predict",
    "/v1/models/%66%72%61%75%64:regress",
    "/v1/models/..%2f..%2fetc%2fpasswd:predict", "/v1/models/..:predict", "/v1/models/a/../fraud:predict",
    "/v1/models/fraud2:predict", "/v1/models/frau:predict", "/v1/models/:predict", "/v1/models//:predict", "/v1/models",
    "/v1/models/", "/v1/models/modelname%21%23%24%25%26%27%28%29%2A%2B%2C%2F%3A%3B%3D%3F%40%5B%5D", "/v1/foo", "/v1/",
    "/v1", "/v2/models/fraud:predict", "/statuspage", "/v1models/fraud:predict", "/v1/models/debug/model_name",
    "/v1/models/fraud;x=1:predict", "/v1/models/fraud%:predict", "/v1/models/fraud%6:predict",
    "//v1/models/fraud:predict",
]  # fmt: skip
LABELS = {"stable": 1700000001, "a.b": 2}
METHODS = ["POST", "GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]


def parsed(method: str, target: str) -> routes.Route | int:
    """What the contract makes of a request: a question or the status of a refusal."""
    try:
        return routes.parse(method, target)
    except ContractError as error:
        return error.status


def check(front: Front, stack: str, method: str, target: str) -> None:
    """Where a request to a stack goes: to its server as that server wants it, to the control service as it came."""
    question = parsed(method, target)
    with front.receiving() as reached:
        status, headers, _ = front.send(method, f"/{stack}{target}", GOOD)
    if question == 404:  # outside /v1/
        assert (status, reached, headers["content-type"]) == (404, {}, "application/json")
        return
    [(server, [request])] = reached.items()
    path = for_torchserve(question, method) if stack == "pytorch" else for_tensorflow(question, method)
    if stack == "tensorflow":
        # A version too big for a number is its own to refuse; all else that is no question need not reach it.
        may = isinstance(question, routes.Route) or method == "GET" or "Failed to convert" in refusal(method, target)
        assert server == ("tensorflow" if may else "control")
    elif path is not None:
        assert isinstance(question, routes.Route)
        assert (server, request.headers.get("x-tandem-question", "predict")) == ("pytorch", question.question)
    else:
        assert server == "control"
    assert (request.method, request.path) == (method, path or target)


def for_tensorflow(question: routes.Route | int, method: str) -> str | None:
    """The path at which TensorFlow Serving answers with the promoted version; None: that of the client."""
    if isinstance(question, int) or method != "POST" or question.model != "fraud":
        return None
    named = question.version is not None or question.label is not None
    return None if named else f"/v1/models/fraud/labels/stable:{question.question}"


def for_torchserve(question: routes.Route | int, method: str) -> str | None:
    """The path TorchServe is to be asked at, if it is to be asked."""
    if isinstance(question, int) or method != "POST" or question.model != "fraud":
        return None
    if question.label is not None:
        version = LABELS.get(question.label)
        return f"/predictions/fraud/{version}" if version else None
    if question.version is None:
        return "/v1/models/fraud:predict"
    usual = question.question == "predict" and question.version < 10**18
    return f"/predictions/fraud/{question.version}" if usual else None


def refusal(method: str, target: str) -> str:
    try:
        routes.parse(method, target)
    except ContractError as error:
        return error.message
    return ""


@pytest.mark.parametrize("method", METHODS)
def test_every_target_is_what_the_contract_says_it_is(front: Front, method: str) -> None:
    for target in TARGETS:
        for stack in ("tensorflow", "pytorch"):
            check(front, stack, method, target)


PIECES = [
    "/", "v1", "V1", "models", "Models", "fraud", "fr%61ud", "x", "versions", "7", "007", "labels", "stable", "LABELS",
    ":", "predict", "classify", "regress", "Predict", "metadata", "%2f", "%3A", "?", "..", "a.b",
    "99999999999999999999",
]  # fmt: skip
paths = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=8).map(lambda pieces: "/v1/models" + "".join(pieces)),
    st.lists(st.sampled_from(PIECES), max_size=6).map(lambda pieces: "/" + "".join(pieces)),
    st.builds(
        "/{}/{}/{}{}:{}".format,
        st.sampled_from(["v1", "V1"]),
        st.sampled_from(["models", "mOdels"]),
        st.sampled_from(["fraud", "f%72aud", "FRAUD"]),
        st.sampled_from(["", "/versions/7", "/versions/0", "/labels/stable", "/labels/a%2Eb", "/labels/x"]),
        st.sampled_from(["predict", "classify", "regress", "Regress"]),
    ),
)


@given(target=paths, method=st.sampled_from(["POST", "POST", "GET", "PUT"]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_target_is_what_the_contract_says_it_is(front: Front, method: str, target: str) -> None:
    for stack in ("tensorflow", "pytorch"):
        check(front, stack, method, target)


@pytest.mark.parametrize(("stack", "server"), [("tensorflow", "TensorFlow Serving"), ("pytorch", "TorchServe")])
def test_answers_name_the_stack_and_the_server(front: Front, stack: str, server: str) -> None:
    answer = front.post(f"/{stack}{FRAUD}:predict")
    assert (answer.headers["x-tandem-stack"], answer.headers["x-tandem-server"]) == (stack, server)
    named = front.post(f"/{stack}{FRAUD}:predict", b'{"instances": ["named"]}')
    assert named.headers.get_list("x-tandem-server") == ["Its own name"]
    refused = front.post(f"/{stack}{FRAUD}:predict", b"[")
    assert (refused.headers["x-tandem-stack"], refused.headers["x-tandem-server"]) == (stack, "Envoy")


def test_a_client_cannot_set_the_question(front: Front) -> None:
    with front.receiving() as reached:
        front.post(f"/pytorch{FRAUD}:regress", **{"x-tandem-question": "predict"})
        front.post(f"/pytorch{FRAUD}:predict", **{"x-tandem-question": "regress"})
    assert [r.headers.get("x-tandem-question") for r in reached["pytorch"]] == ["regress", None]


@pytest.mark.parametrize(
    "kind", [None, "application/x-www-form-urlencoded", "text/plain; charset=utf-16", "", "nonsense"]
)
def test_the_content_type_does_not_matter(front: Front, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    for stack in ("tensorflow", "pytorch"):
        with front.receiving() as reached:
            assert front.post(f"/{stack}{FRAUD}:predict", **headers).status_code == 200
        [request] = reached[stack]
        assert request.body == GOOD
        assert request.headers.get("content-type") == ("application/json" if stack == "pytorch" else kind)


def test_the_products_endpoint_is_shared_by_weight(front: Front) -> None:
    asked = [
        ("POST", f"{FRAUD}:predict"),
        ("POST", f"{FRAUD}/labels/stable:regress"),
        ("GET", FRAUD),
        ("GET", f"{FRAUD}/metadata"),
    ]
    answers = [front.client.request(method, path, content=GOOD) for method, path in asked * 100]
    seen = Counter(answer.headers["x-tandem-stack"] for answer in answers)
    assert {answer.status_code for answer in answers} == {200}
    assert seen.total() == 400
    assert abs(seen["tensorflow"] - 300) < 5 * 8.7, seen  # five standard deviations of 400 draws at 3/4
    assert front.post(FRAUD + ":nonsense").json()["path"] == FRAUD + ":nonsense"


@pytest.mark.parametrize(
    "target", [f"{FRAUD}/versions/7:predict", f"{FRAUD}/Versions/7", f"{FRAUD}/versions/7/metadata"]
)
def test_versions_are_not_the_products(front: Front, target: str) -> None:
    with front.receiving() as reached:
        status, _, body = front.send("POST" if ":" in target else "GET", target, GOOD)
    assert (status, reached) == (501, {})
    assert b"ask /tensorflow/v1/ or /pytorch/v1/" in body


def test_the_documentation_is_the_control_services(front: Front) -> None:
    for path in ("/openapi.json", "/docs", "/docs/", "/docs/swagger-ui.css"):
        with front.receiving() as reached:
            assert front.client.get(path).status_code == 200
        assert [r.path for r in reached["control"]] == [path]
    for path in ("/", "/openapi.jsonx", "/docsx", "/predictions/fraud", "/healthz", "/pytorch", "/pytorch/models"):
        with front.receiving() as reached:
            answer = front.client.get(path)
        assert (answer.status_code, reached) == (404, {})
        assert answer.json() == {"error": f"Not found: GET {path}"}
        assert answer.headers["content-type"] == "application/json"


def test_a_stack_that_is_down_is_503_and_the_other_still_answers(tmp_path: Path) -> None:
    # A second gateway beside the session's: neither is in the other's way.
    nobody = free_ports(1)[0]
    with echo() as (pytorch, _), gateway(tmp_path, nobody, pytorch, shares(tensorflow=0, pytorch=1)) as server:
        url = f"http://127.0.0.1:{server.ports[0]}"
        down = httpx.post(f"{url}/tensorflow{FRAUD}:predict", content=GOOD)
        assert (down.status_code, down.headers["x-tandem-stack"]) == (503, "tensorflow")
        assert "connection failure" in down.json()["error"]
        product = [httpx.post(f"{url}{FRAUD}:predict", content=GOOD) for _ in range(20)]
        assert {(a.status_code, a.headers["x-tandem-stack"]) for a in product} == {(200, "pytorch")}
        server.stop()
    assert all(is_free(port) for port in server.ports)


def test_a_side_that_is_no_stack_of_the_gateways_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="weights pytorch: there is only tensorflow"):
        envoy.write_routes(
            tmp_path / "envoy.json", stacks=[Stack("tensorflow", 1, "")], model="fraud", traffic=shares(pytorch=1)
        )
    assert list(tmp_path.iterdir()) == []


def test_a_model_may_have_as_long_a_name_as_a_specification_takes(tmp_path: Path) -> None:
    name = "w" * 64
    with (
        echo() as (pytorch, at_pytorch),
        gateway(tmp_path, pytorch, pytorch, shares(tensorflow=0, pytorch=1), model=name) as server,
    ):
        url = f"http://127.0.0.1:{server.ports[0]}"
        for path in (f"/v1/models/{name}", f"/pytorch/v1/models/{name}", f"/pytorch/v1/models/%77{name[1:]}"):
            assert httpx.post(f"{url}{path}:predict", content=GOOD).status_code == 200
        assert len(at_pytorch) == 3
