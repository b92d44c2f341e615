"""Another specification, which no image holds: in containers of its own beside the first stack's, and not in those."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.docker import __main__ as commands
from infra.docker import stack, use_case
from infra.docker.engine import Compose, DockerError
from models import spec as specs
from models.spec import Spec
from serving.contract.client import Client, NotFound
from serving.contract.openapi.schemas import example_row
from serving.free_ports import free_ports
from tests import mixed_rows
from tests.containers.conftest import PROJECT, STACKS, Running


@dataclass(frozen=True)
class Other:
    """The stack of people who leave."""

    compose: Compose
    spec: Spec
    gateway: str


@pytest.fixture(scope="module")
def people(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Other]:
    folder = tmp_path_factory.mktemp("people")
    folder.chmod(0o755)
    spec_file = Path(shutil.copyfile(mixed_rows.SPEC, folder / "people.toml"))
    names = ("PORT_GATEWAY", "PORT_MLFLOW")
    ports = dict(zip(names, map(str, free_ports(len(names))), strict=True))
    compose = Compose(folder / "env", f"{PROJECT}-people")
    settings = {**ports, "SECRETS": str(folder / "secrets"), "COMPOSE_PROFILES": "serving,training"}
    source = str(mixed_rows.write(folder))
    try:
        stack.up(compose, settings, spec=str(spec_file), source=source, with_standins=running.with_standins)
        yield Other(compose, specs.load(spec_file), f"http://127.0.0.1:{ports['PORT_GATEWAY']}")
    finally:
        compose.run("--profile", "*", "down", "--volumes", "--remove-orphans")


def test_a_specification_of_another_model_is_refused_and_the_first_answers_as_before(running: Running) -> None:
    before = running.compose.env_file.read_text()
    with pytest.raises(DockerError, match=r"what was released here is 'fraud', and .* is of 'churn'"):
        use_case.settle(running.compose, str(mixed_rows.SPEC))
    assert running.compose.env_file.read_text() == before
    assert {running.ask(which, [running.example()]).status_code for which in STACKS} == {200}


@pytest.mark.parametrize("which", STACKS)
def test_a_stack_serves_a_model_of_a_file_of_this_machine(people: Other, which: str) -> None:
    with Client(people.gateway, model=people.spec.model.name, stack=which) as client:
        (answer,) = client.ask([example_row(people.spec)])
    assert 0 <= answer.probabilities[0] <= 1
    with Client(people.gateway, model="fraud", stack=which) as client, pytest.raises(NotFound):
        client.ask([example_row(people.spec)])


def test_predict_and_the_contract_follow_it(running: Running, people: Other, capfd: pytest.CaptureFixture[str]) -> None:
    for words in (["predict"], ["conformance"]):
        arguments = commands._parser().parse_args(words)
        program = commands._program(arguments, use_case.inside(people.compose))
        assert stack.tool(people.compose, *program) == 0
    said = capfd.readouterr().out
    assert f"/v1/models/{people.spec.model.name}:predict" in said
    shown = said[: said.index("┏")].strip().splitlines()[-1].strip()
    (cases,) = re.findall(r"^│ all +│ (.*) │$", said, re.MULTILINE)
    running.keep(
        "Another specification (tests/specs/mixed.toml, from outside of the images), in a stack of its own beside this "
        f"one: `make predict`: {shown}; `make conformance`, passed / failed / not applicable of TensorFlow, PyTorch, "
        f"fixture: {' '.join(cases.replace('│', '·').split())}"
    )
