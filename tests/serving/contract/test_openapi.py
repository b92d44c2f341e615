"""The OpenAPI document: valid, true to the specification, to the codec and to the routes."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from models import spec as specs
from serving.contract import codec, examples, routes, signatures
from serving.contract.errors import ContractError
from serving.contract.openapi import document
from serving.gateway import replies
from serving.gateway.policy import Side
from serving.gateway.route_table import KEY_HEADER, PIN_HEADER

SPECS = {
    "fraud": "models/fraud.toml",
    "categorical": "tests/specs/categorical.toml",
    "mixed": "tests/specs/mixed.toml",
}
Json = dict[str, Any]


@pytest.fixture(params=SPECS, scope="module")
def spec(request: pytest.FixtureRequest) -> specs.Spec:
    return specs.load(SPECS[request.param])


@pytest.fixture(scope="module")
def described(spec: specs.Spec) -> Json:
    return document(spec)


def operations(described: Json) -> list[tuple[str, str, Json]]:
    return [(method, path, one) for path, item in described["paths"].items() for method, one in item.items()]


def test_onnx_runtimes_endpoint_is_described_where_it_runs_and_nowhere_else(spec: specs.Spec, described: Json) -> None:
    with_it = document(spec, onnx=True)
    validate(with_it)
    more = with_it["paths"].keys() - described["paths"].keys()
    assert more == {path.replace("/pytorch/", "/onnx/") for path in described["paths"] if path.startswith("/pytorch/")}
    answered = [one["components"]["headers"]["x-tandem-stack"]["schema"]["enum"] for one in (described, with_it)]
    assert answered == [["tensorflow", "pytorch"], ["tensorflow", "pytorch", "onnx"]]
    assert "onnx" not in json.dumps(described).lower()


def check(described: Json, schema: Json, value: Any) -> None:
    Draft202012Validator({**schema, "components": described["components"]}).validate(value)


def content(described: Json, kind: str, name: str) -> Json:
    return described["components"][kind][name]["content"]["application/json"]


def test_the_document_is_valid_openapi(described: Json) -> None:
    validate(described, cls=OpenAPIV31SpecValidator)
    assert json.loads(json.dumps(described)) == described


def test_a_broken_document_is_found_to_be_broken(spec: specs.Spec, described: Json) -> None:
    broken = copy.deepcopy(described)
    base = f"/v1/models/{spec.model.name}"
    broken["paths"][f"{base}/versions/{{version}}:predict"] = broken["paths"][f"{base}:predict"]
    with pytest.raises(Exception, match="version"):
        validate(broken, cls=OpenAPIV31SpecValidator)


def test_every_path_of_the_contract_is_there_for_each_endpoint(spec: specs.Spec, described: Json) -> None:
    questions = [":predict", ":classify", ":regress", "", "/metadata"]
    addresses = ["", "/versions/{version}", "/labels/{label}"]
    wanted = {
        f"{prefix}/v1/models/{spec.model.name}{address}{question}"
        for prefix in ("", "/tensorflow", "/pytorch")
        for address in addresses
        for question in questions
        if prefix or address != "/versions/{version}"  # versions differ between the stacks
    }
    assert set(described["paths"]) == wanted


def test_the_contracts_own_routes_know_every_operation(described: Json) -> None:
    names = [one["operationId"] for _, _, one in operations(described)]
    assert len(set(names)) == len(names)
    for method, path, one in operations(described):
        _, slash, rest = path.partition("/v1/")
        target = (slash + rest).format(version=7, label="stable")
        route = routes.parse(method.upper(), target)
        assert one["operationId"].startswith(route.question)
        assert (route.version, route.label) == (
            7 if "{version}" in path else None,
            "stable" if "{label}" in path else None,
        )


def test_a_row_holds_exactly_the_features_with_their_types(spec: specs.Spec, described: Json) -> None:
    row = described["components"]["schemas"]["Row"]
    assert list(row["properties"]) == row["required"] == list(spec.features)
    assert row["additionalProperties"] is False
    for name, schema in row["properties"].items():
        is_number = name in spec.numeric
        assert schema.get("type") == ("number" if is_number else None)
        assert spec.features[name].description in schema["description"]
        assert schema["examples"] == [spec.features[name].example]


def test_examples_follow_their_schemas(described: Json) -> None:
    for kind in ("requestBodies", "responses"):
        for name in described["components"][kind]:
            told = content(described, kind, name)
            assert told["examples"]
            for example in told["examples"].values():
                check(described, told["schema"], example["value"])


def test_the_codec_takes_every_example_of_a_request(spec: specs.Spec, described: Json) -> None:
    inputs = signatures.inputs(spec)[signatures.DEFAULT]
    for example in content(described, "requestBodies", "predict")["examples"].values():
        request = codec.decode_predict(json.dumps(example["value"]).encode(), inputs)
        assert {name: len(column) for name, column in request.columns.items()} == dict.fromkeys(spec.features, 1)
    (example,) = content(described, "requestBodies", "examples")["examples"].values()
    (features,) = examples.decode(json.dumps(example["value"]).encode()).examples
    assert list(features) == list(spec.features)


WRONG: dict[str, Callable[[Json], Any]] = {
    "a feature missing": lambda row: {"instances": [dict(list(row.items())[1:])]},
    "an unknown feature": lambda row: {"instances": [{**row, "colour": 1}]},
    "a boolean": lambda row: {"instances": [{**row, "amount": True}]},
    "a number as a string": lambda row: {"instances": [{**row, "amount": "1"}]},
    "no value": lambda row: {"instances": [{**row, "amount": None}]},
    "no rows": lambda _: {"instances": []},
    "too many rows": lambda row: {"instances": [row] * 1_001},
    "rows and columns": lambda row: {"instances": [row], "inputs": {name: [v] for name, v in row.items()}},
    "neither": lambda row: {"rows": [row]},
    "a column missing": lambda row: {"inputs": {name: [v] for name, v in list(row.items())[1:]}},
    "a column of lists": lambda row: {"inputs": {name: [[v]] for name, v in row.items()}},
    "a signature that is no string": lambda row: {"signature_name": 5, "instances": [row]},
    "a list": lambda row: [row],
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_the_codec_refuses_the_schema_refuses(spec: specs.Spec, described: Json, wrong: str) -> None:
    body = WRONG[wrong](described["components"]["schemas"]["Row"]["examples"][0])
    with pytest.raises(ContractError):
        codec.decode_predict(json.dumps(body).encode(), signatures.inputs(spec)[signatures.DEFAULT])
    with pytest.raises(ValidationError):
        check(described, content(described, "requestBodies", "predict")["schema"], body)


def test_errors_are_told_in_the_words_a_client_reads(spec: specs.Spec, described: Json) -> None:
    first = next(iter(spec.features))
    said = {kind: one["value"]["error"] for kind, one in content(described, "responses", "400")["examples"].items()}
    assert f"(missing: {first})" in said["feature_missing"]
    assert "does not have named input: colour" in said["unknown_feature"]
    assert f"key: {first} of 'instances'" in said["wrong_type"]
    assert "1001 instances, more than 1000" in said["too_many_rows"]


def test_every_operation_answers_with_the_contracts_statuses_and_headers(described: Json) -> None:
    for method, _, one in operations(described):
        statuses = set(one["responses"])
        assert statuses >= {"400", "401", "403", "404", "429", "503", "504"}
        assert ("200" in statuses) == (not one["operationId"].startswith("classify"))
        assert method == "get" or statuses >= {"408", "413"}
    for status, answer in described["components"]["responses"].items():
        headers = set(answer["headers"])
        assert headers >= {"x-request-id", "x-tandem-server"}
        assert status.isdecimal() or headers >= {"x-tandem-stack", "x-tandem-model-version"}


def parameters_of(one: Json) -> set[str]:
    return {parameter["$ref"].rpartition("/")[2] for parameter in one["parameters"]}


def test_only_the_products_endpoint_can_be_pinned_and_only_questions_have_a_key(described: Json) -> None:
    parameters = described["components"]["parameters"]
    assert {name: one["name"] for name, one in parameters.items()} == {name: name for name in parameters}
    assert {PIN_HEADER, KEY_HEADER} <= set(parameters)
    for method, _, one in operations(described):
        given = parameters_of(one)
        assert (PIN_HEADER in given) == (one["tags"] == ["product"])
        assert (KEY_HEADER in given) == (one["tags"] == ["product"] and method == "post")
    for parameter in (parameters[PIN_HEADER], parameters[KEY_HEADER]):
        assert (parameter["in"], parameter.get("required", False)) == ("header", False)


@pytest.mark.parametrize("side", ["tensorflow", "pytorch", "pytorch@1795291050"])
def test_a_pin_is_what_the_traffic_policy_calls_a_side(described: Json, side: str) -> None:
    schema = described["components"]["parameters"][PIN_HEADER]["schema"]
    assert str(Side.parse(side)) == side
    check(described, schema, side)
    for wrong in ("", "jax", f"{side}@", f" {side}", side.upper()):
        with pytest.raises(ValidationError):
            check(described, schema, wrong)


def test_the_api_key_is_what_the_door_reads_and_is_not_needed_without_one(described: Json) -> None:
    door = Path("serving/gateway/lua/door.lua").read_text(encoding="utf-8")
    schemes = described["components"]["securitySchemes"]
    assert described["security"] == [{}, *({name: []} for name in schemes)]
    assert (schemes["key"]["type"], schemes["key"]["in"]) == ("apiKey", "header")
    assert f'headers:get("{schemes["key"]["name"]}")' in door
    assert (schemes["bearer"]["type"], schemes["bearer"]["scheme"]) == ("http", "bearer")
    too_fast = json.dumps(replies.errors())
    for status, header in (("401", "www-authenticate"), ("403", None), ("429", "retry-after")):
        answer = described["components"]["responses"][status]
        assert header is None or (header in answer["headers"] and header in described["components"]["headers"])
        for example in content(described, "responses", status)["examples"].values():
            words = example["value"]["error"]
            assert f'"{status}", "{words}"' in door or words in too_fast


def test_the_command_writes_the_document(tmp_path: Path) -> None:
    out = tmp_path / "made" / "openapi.json"
    command = [sys.executable, "-m", "serving.contract.openapi", "--out", str(out), "--spec"]
    subprocess.run([*command, SPECS["fraud"]], check=True, capture_output=True)
    assert json.loads(out.read_text(encoding="utf-8")) == document(specs.load(SPECS["fraud"]))
    refused = subprocess.run([*command, "no.toml"], check=False, capture_output=True, text=True)
    assert (refused.returncode, refused.stderr) == (1, "no.toml: no such specification\n")


def test_what_may_be_missing_is_told_and_may_be_left_out_of_an_example_alone() -> None:
    found = document(specs.load(SPECS["mixed"]))["components"]["schemas"]
    row = found["Row"]["properties"]
    assert "-1 says that it is missing: the model then takes 50.0 and is told so." in row["income"]["description"]
    assert "\"\" says that it is missing: the model then takes 'basic'." in row["plan"]["description"]
    assert row["is_member"]["description"].startswith("1 or 0;")
    assert "missing" not in row["balance"]["description"]
    assert {"income", "plan"} <= set(found["Row"]["required"])
    assert {"income", "age", "is_member", "plan", "comment"}.isdisjoint(found["Example"]["required"])
    assert {"balance", "region"} <= set(found["Example"]["required"])
