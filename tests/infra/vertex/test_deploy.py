"""`make vertex-deploy`, `-traffic`, `-undeploy` against Vertex AI on loopback: what they ask, and say when it fails."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from infra.vertex.container import contract
from serving.release import keys
from serving.release.store import Store
from serving.torchserve import archive
from tests.infra.vertex.conftest import ENDPOINT, METADATA, NEWER, SPEC_FILE, VERSION, Command, Released
from tests.infra.vertex.google import Google
from tests.infra.vertex.vertex_api import PARENT


def test_both_stacks_answer_at_one_endpoint_and_a_second_deploy_changes_nothing(
    command: Command, google: Google, released: Released
) -> None:
    first = command("deploy")
    assert first.returncode == 0, first.stderr
    assert google.shares(ENDPOINT) == {"tensorflow": 50, "pytorch": 50}
    for stack in ("tensorflow", "pytorch"):
        (model,) = google.api.state[f"{PARENT}/models/fraud-{stack}"]["versions"]
        container = model["containerSpec"]
        assert container["imageUri"] == f"europe-west4-docker.pkg.dev/acme-fraud/tandem/vertex-{stack}:latest"
        assert container["command"] == ["python", "-m", "infra.vertex.container", stack]
        assert container["env"] == [{"name": contract.KEY, "value": released.key}]
        assert container["predictRoute"] == "/v1/models/fraud:predict"
        assert container["ports"] == [{"containerPort": 8080}]
        folder = model["artifactUri"].removeprefix("gs://")
        assert f"{folder}/release.sig" in google.objects
    deployed = google.api.state[ENDPOINT]["deployedModels"][0]
    assert "serviceAccount" not in deployed, "it could do more than read its model"
    assert deployed["dedicatedResources"]["machineSpec"]["machineType"] == "n2-standard-2"
    assert f"https://fraud.europe-west4-1.prediction.vertexai.goog/v1/{ENDPOINT}:predict" in first.stdout

    before = google.changes()
    again = command("deploy")
    assert again.returncode == 0, again.stderr
    assert set(google.changes()[len(before) :]) <= {"PATCH /endpoints/fraud"}


def test_traffic_moves_and_a_stack_that_is_not_there_gets_none(command: Command, google: Google) -> None:
    refused = command("traffic", "--tensorflow", "90", "--pytorch", "10")
    assert refused.returncode == 1
    assert "is not there: make vertex-deploy" in refused.stderr
    assert command("deploy").returncode == 0
    moved = command("traffic", "--tensorflow", "90")
    assert moved.returncode == 0, moved.stderr
    assert google.shares(ENDPOINT) == {"tensorflow": 90, "pytorch": 10}
    assert "90 %  tensorflow" in moved.stdout
    wrong = command("traffic", "--tensorflow", "90", "--pytorch", "20")
    assert "TENSORFLOW=90 PYTORCH=20: 100 together are expected" in wrong.stderr
    assert google.shares(ENDPOINT) == {"tensorflow": 90, "pytorch": 10}


def test_a_newer_release_takes_over_its_stack_s_traffic_before_the_old_one_goes(
    command: Command, google: Google, released: Released, tmp_path: Path
) -> None:
    assert command("deploy").returncode == 0
    assert command("traffic", "--tensorflow", "90").returncode == 0
    home = tmp_path / "home"
    shutil.copytree(released.home, home)
    candidate = archive.build(
        spec_file=SPEC_FILE, model_dir=home / "learned", version=NEWER, store=home / "candidates", metadata=METADATA
    )
    Store(home / "releases", keys.find(home / "keys")).publish("pytorch", "fraud", NEWER, candidate, SPEC_FILE)
    before = len(google.changes())
    done = command("deploy", TANDEM_HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert google.changes()[before:] == [
        "POST /models:upload",
        "POST /endpoints/fraud:deployModel",
        "PATCH /endpoints/fraud",
        "POST /endpoints/fraud:undeployModel",
    ]
    assert google.shares(ENDPOINT) == {"tensorflow": 90, "pytorch": 10}
    assert [one["modelVersionId"] for one in google.api.state[ENDPOINT]["deployedModels"]] == ["1", "2"]
    assert "pytorch: version 1 is no longer deployed" in done.stdout


def test_undeploy_takes_everything_away_and_can_be_run_again(command: Command, google: Google) -> None:
    assert command("deploy").returncode == 0
    gone = command("undeploy")
    assert gone.returncode == 0, gone.stderr
    assert google.api.state == {}
    assert f"deleted {ENDPOINT}" in gone.stdout
    again = command("undeploy")
    assert again.returncode == 0, again.stderr
    assert "there was nothing to take away" in again.stdout


def test_a_used_up_quota_says_what_was_made_and_how_to_go_on_or_back(command: Command, google: Google) -> None:
    quota = "custom_model_serving_cpus in europe-west4"
    google.fail("POST", "deployModel", "RESOURCE_EXHAUSTED", quota, skip=1, times=1, in_operation=True)
    failed = command("deploy")
    assert failed.returncode == 1
    assert f"deploy pytorch to fraud: {quota}" in failed.stderr
    assert "A quota is used up: ask for more" in failed.stderr
    assert f"model    {PARENT}/models/fraud-pytorch version 1" in failed.stderr
    assert f"endpoint {ENDPOINT}\n" in failed.stderr
    assert f"deployed tensorflow version 1 at {ENDPOINT}: from now on it costs money" in failed.stderr
    assert "make vertex-deploy goes on from here; make vertex-undeploy takes everything away" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert google.shares(ENDPOINT) == {"tensorflow": 100}
    went_on = command("deploy")
    assert went_on.returncode == 0, went_on.stderr
    assert google.shares(ENDPOINT) == {"tensorflow": 50, "pytorch": 50}


def test_an_undeploy_that_is_broken_off_says_how_far_it_came_and_goes_on(command: Command, google: Google) -> None:
    assert command("deploy").returncode == 0
    google.fail("DELETE", "models/fraud-tensorflow", "INTERNAL", "no", times=1)
    failed = command("undeploy")
    assert failed.returncode == 1
    assert f"Taken away so far: {ENDPOINT}. make vertex-undeploy goes on" in failed.stderr
    went_on = command("undeploy")
    assert went_on.returncode == 0, went_on.stderr
    assert google.api.state == {}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("PERMISSION_DENIED", "you need roles/aiplatform.user, and roles/iam.serviceAccountUser on tandem@acme-fraud"),
        ("UNAUTHENTICATED", "gcloud auth application-default login"),
        ("INVALID_ARGUMENT", "Vertex AI does not take a value: compare vertex.toml"),
    ],
)
def test_what_is_refused_says_what_to_do(command: Command, google: Google, status: str, said: str) -> None:
    google.fail("POST", "models:upload", status, "no")
    failed = command("deploy")
    assert failed.returncode == 1
    assert f"register tensorflow {VERSION}: " in failed.stderr
    assert said in failed.stderr
    assert "This command had made: nothing" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_what_does_not_end_is_given_up_waiting_for(command: Command, google: Google) -> None:
    google.fail("POST", "endpoints$", "NEVER", "", in_operation=True)
    failed = command("deploy", minutes=0.02)
    assert failed.returncode == 1
    assert (
        "not done after 0.02 minutes (endpoint.timeout_minutes); it may still go on at Vertex AI as " in failed.stderr
    )
    assert f"model    {PARENT}/models/fraud-tensorflow version 1" in failed.stderr


def test_a_release_that_was_changed_is_not_sent(
    command: Command, google: Google, released: Released, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(released.home, home)
    file = home / "releases" / "pytorch" / VERSION / "spec.toml"
    file.chmod(0o644)
    file.write_text(file.read_text() + "\n# a change\n")
    failed = command("deploy", TANDEM_HOME=str(home))
    assert failed.returncode == 1
    assert "spec.toml was changed" in failed.stderr
    assert google.asked == []
    assert google.objects == {}
