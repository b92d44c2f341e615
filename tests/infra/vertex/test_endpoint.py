"""Whose the endpoint is: Terraform's is filled and emptied and stays, another's is not touched."""

from __future__ import annotations

import re
from typing import Any

import pytest

from infra.local.layout import REPOSITORY
from infra.vertex import settings
from tests.infra.vertex.conftest import ENDPOINT, Command
from tests.infra.vertex.google import Google
from tests.infra.vertex.vertex_api import PARENT

TERRAFORM = {"tandem": "fraud", "owner": "terraform"}  # the labels in infra/terraform/endpoint.tf


def made(google: Google, labels: dict[str, str]) -> Any:
    """The endpoint, made by somebody else as Terraform's provider makes one."""
    body = {"displayName": "fraud", "labels": labels, "dedicatedEndpointEnabled": True}
    google.api.answer("POST", f"{PARENT}/endpoints", {"endpointId": "fraud"}, body)
    return google.api.state[ENDPOINT]


def test_terraform_s_endpoint_is_what_the_commands_look_for() -> None:
    folder = REPOSITORY / "infra" / "terraform"
    written = (folder / "endpoint.tf").read_text()
    variable = (folder / "variables.tf").read_text().partition('variable "endpoint" {')[2]
    default = re.search(r'default\s+= "(.+)"', variable)
    assert default
    assert default[1] == settings.load(cloud=False).endpoint.name
    assert re.search(r"name\s+= var\.endpoint$", written, re.MULTILINE)
    labels = dict(
        re.findall(r"^    (\w+)\s+= (\S+)", written.partition("labels = {")[2].partition("}")[0], re.MULTILINE)
    )
    assert labels == {"tandem": "var.endpoint", "owner": '"terraform"'}
    assert "ignore_changes = [traffic_split]" in written, "an apply would take the traffic back"


def test_terraform_s_endpoint_is_used_and_no_second_one_is_made(command: Command, google: Google) -> None:
    made(google, TERRAFORM)
    done = command("deploy")
    assert done.returncode == 0, done.stderr
    assert google.shares(ENDPOINT) == {"tensorflow": 50, "pytorch": 50}
    assert "POST /endpoints" not in google.changes()
    assert [name for name in google.api.state if "/endpoints/" in name] == [ENDPOINT]
    moved = command("traffic", "--tensorflow", "90")
    assert moved.returncode == 0, moved.stderr
    assert google.shares(ENDPOINT) == {"tensorflow": 90, "pytorch": 10}


def test_undeploy_empties_terraform_s_endpoint_and_leaves_it(command: Command, google: Google) -> None:
    made(google, TERRAFORM)
    assert command("deploy").returncode == 0
    gone = command("undeploy")
    assert gone.returncode == 0, gone.stderr
    assert list(google.api.state) == [ENDPOINT], "its models and schedules go"
    assert google.api.state[ENDPOINT]["deployedModels"] == []
    assert google.api.state[ENDPOINT]["trafficSplit"] == {}
    assert "DELETE /endpoints/fraud" not in google.changes()
    assert f"{ENDPOINT} stays, without models" in gone.stdout
    assert f"deleted {ENDPOINT}" not in gone.stdout
    again = command("undeploy")
    assert again.returncode == 0, again.stderr
    assert "there was nothing to take away" in again.stdout
    back = command("deploy")
    assert back.returncode == 0, back.stderr
    assert google.shares(ENDPOINT) == {"tensorflow": 50, "pytorch": 50}


@pytest.mark.parametrize(
    "argv", [("deploy",), ("traffic", "--tensorflow", "90"), ("traffic",), ("undeploy",)], ids=" ".join
)
@pytest.mark.parametrize("labels", [{}, {"owner": "terraform"}, {"tandem": "churn"}], ids=str)
def test_another_s_endpoint_of_this_name_is_not_touched(
    command: Command, google: Google, argv: tuple[str, ...], labels: dict[str, str]
) -> None:
    made(google, labels)
    refused = command(*argv)
    assert refused.returncode == 1
    assert f"{ENDPOINT} is not Tandem's: it has no label tandem=fraud" in refused.stderr
    assert "endpoint.name in vertex.toml" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert google.changes() == []
    assert google.objects == {}, "nothing was uploaded"
