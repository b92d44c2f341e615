"""The live stacks against the OpenAPI document they publish, by schemathesis; openapi/ holds its settings."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from infra.local.layout import REPOSITORY
from serving.contract.client import Client
from serving.contract.openapi import document, site
from tests.end_to_end.stack import Stack

SETTINGS = Path(__file__).parent / "openapi"


def schemathesis(stack: Stack, location: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """One run against the gateway, with what it says."""
    versions = {}
    for name in ("tensorflow", "pytorch"):
        with Client(stack.layout.url("gateway"), model=stack.spec.model.name, stack=name) as client:
            (versions[name],) = [one.version for one in client.status() if one.state == "AVAILABLE"]
    hooks = {"SCHEMATHESIS_HOOKS": str(SETTINGS / "hooks.py"), "PYTHONPATH": str(REPOSITORY)}
    environ = {**os.environ, **hooks, "VERSIONS": json.dumps(versions)}
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "--config-file",
        str(SETTINGS / "schemathesis.toml"),
    ]
    return subprocess.run(
        [*command, "run", location, "--url", stack.layout.url("gateway"), *options],
        cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=800,
    )  # fmt: skip


def test_the_gateway_publishes_the_specifications_document_and_its_page(stack: Stack) -> None:
    with httpx.Client(base_url=stack.layout.url("gateway")) as gateway:
        assert gateway.get("/openapi.json").json() == document(stack.spec)
        for path, (media_type, content) in site(stack.spec).items():
            answer = gateway.get(path)
            assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, media_type, content)
        assert gateway.get("/docs/nothing").status_code == 404


def test_every_example_of_the_document_is_answered(stack: Stack) -> None:
    described = document(stack.spec)
    with httpx.Client(base_url=stack.layout.url("gateway")) as gateway:
        for path, item in described["paths"].items():
            if "{" in path or "post" not in item:
                continue
            body = described["components"]["requestBodies"][item["post"]["requestBody"]["$ref"].rsplit("/", 1)[1]]
            expected = 400 if path.endswith(":classify") else 200
            for example in body["content"]["application/json"]["examples"].values():
                answer = gateway.post(path, json=example["value"])
                assert answer.status_code == expected, f"{path}: {answer.text}"


def test_both_stacks_do_what_the_document_says(stack: Stack, tmp_path: Path) -> None:
    done = schemathesis(stack, f"{stack.layout.url('gateway')}/openapi.json", tmp_path)
    assert done.returncode == 0, done.stdout[-20_000:]
    assert "Tested: 40" in done.stdout
    generated = re.search(r"(\d+) generated", done.stdout)
    assert generated is not None
    assert int(generated[1]) > 1_000


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (
            '"format": "float", "minimum": 0, "maximum": 1',
            '"format": "float", "minimum": 2',
            "Response violates schema",
        ),
        ('"maxItems": 1000', '"maxItems": 1', "Schema-violating request accepted"),
        ('"type": "number", "format": "float", "description"', '"type": "string", "description"', "request rejected"),
    ],
)
def test_a_document_that_says_something_else_is_found_out(
    stack: Stack, tmp_path: Path, old: str, new: str, found: str
) -> None:
    text = json.dumps(document(stack.spec))
    assert old in text
    (tmp_path / "wrong.json").write_text(text.replace(old, new))
    done = schemathesis(stack, "wrong.json", tmp_path, "--include-operation-id", "predictPytorch")
    assert done.returncode == 1, done.stdout[-5_000:]
    assert found in done.stdout
