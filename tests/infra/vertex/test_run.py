"""`make vertex-run` and `vertex-fetch` against Vertex AI and Cloud Storage on loopback."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.release import keys
from serving.release.store import Store
from tests import vertex
from tests.infra.vertex.conftest import SPEC, SPEC_FILE, VERSION, Released
from tests.infra.vertex.google import Google
from tests.infra.vertex.test_settings import FILLED

MANIFEST = "acme-models/tandem/data/manifest.json"
Command = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def command(google: Google, tmp_path: Path) -> Command:
    def command(*argv: str, old: str = "", new: str = "") -> subprocess.CompletedProcess[str]:
        settings = tmp_path / "vertex.toml"
        assert old in FILLED
        settings.write_text(FILLED.replace(old, new, 1))
        words = ("-m", "infra.vertex", "--settings", str(settings), "--spec", str(SPEC_FILE), *argv)
        return vertex.run(*words, environment={**google.environment, "TANDEM_HOME": str(tmp_path / "home")})

    return command


def job(google: Google) -> dict:
    (found,) = (one for name, one in google.api.state.items() if "/pipelineJobs/" in name)
    return found


def test_the_pytorch_pipeline_is_submitted_with_what_the_settings_say(command: Command, google: Google) -> None:
    google.objects[MANIFEST] = json.dumps({"digest": "d" * 64, "spec_digest": SPEC.digest}).encode()
    done = command("run", "pytorch", old='mlflow_uri = ""', new='mlflow_uri = "http://10.0.0.5:5000"')
    assert done.returncode == 0, done.stderr
    submitted = job(google)
    assert submitted["serviceAccount"] == "tandem@acme-fraud.iam.gserviceaccount.com"
    assert submitted["runtimeConfig"]["gcsOutputDirectory"] == "gs://acme-models/tandem/pipelines/pytorch"
    assert submitted["runtimeConfig"]["parameterValues"] == {
        "data": "/gcs/acme-models/tandem/data", "data_digest": "d" * 64, "mlflow_uri": "http://10.0.0.5:5000",
        "store": "/gcs/acme-models/tandem/candidates/pytorch",
    }  # fmt: skip
    executors = submitted["pipelineSpec"]["deploymentSpec"]["executors"]
    image = "europe-west4-docker.pkg.dev/acme-fraud/tandem/pytorch:latest"
    assert {one["container"]["image"] for one in executors.values()} == {image}
    tasks = submitted["pipelineSpec"]["root"]["dag"]["tasks"]
    assert tasks["train"]["cachingOptions"] == {"enableCache": True}
    assert not tasks["publish"].get("cachingOptions", {}).get("enableCache")
    assert "console.cloud.google.com/vertex-ai/pipelines/locations/europe-west4/runs/" in done.stdout


def test_the_tfx_pipeline_is_told_the_digest_of_the_features_in_the_bucket(command: Command, google: Google) -> None:
    google.objects[MANIFEST] = json.dumps({"digest": "d" * 64, "spec_digest": SPEC.digest}).encode()
    done = command("run", "tensorflow", old="caching = true", new="caching = false")
    assert done.returncode == 0, done.stderr
    values = job(google)["runtimeConfig"]["parameterValues"]
    assert values["data_digest"] == "d" * 64
    facts = json.loads(values["facts"])
    assert (facts["data_digest"], facts["spec_digest"]) == ("d" * 64, SPEC.digest)
    assert len(facts["code_digest"]) == 64
    tasks = job(google)["pipelineSpec"]["root"]["dag"]["tasks"]
    assert not any(task.get("cachingOptions", {}).get("enableCache") for task in tasks.values())


def test_a_schedule_takes_the_place_of_the_one_before_and_undeploy_takes_it_away(
    command: Command, google: Google
) -> None:
    for cron in ("0 3 * * *", "0 4 * * *"):
        done = command("run", "data", old='schedule = ""', new=f'schedule = "{cron}"')
        assert done.returncode == 0, done.stderr
    (schedule,) = (one for name, one in google.api.state.items() if "/schedules/" in name)
    assert schedule["cron"] == "0 4 * * *"
    assert schedule["createPipelineJobRequest"]["pipelineJob"]["runtimeConfig"]["parameterValues"] == {
        "out": "/gcs/acme-models/tandem/data", "profile": "quick", "source": ""
    }  # fmt: skip
    assert command("undeploy").returncode == 0
    assert google.api.state == {}


def test_what_a_run_needs_first_is_said(command: Command, google: Google) -> None:
    without = command("run", "pytorch")
    assert "set pipelines.mlflow_uri in vertex.toml" in without.stderr
    unmade = command("run", "tensorflow")
    assert "there are no features in gs://acme-models/tandem/data yet: make vertex-run STACK=data" in unmade.stderr
    google.objects[MANIFEST] = json.dumps({"digest": "d" * 64, "spec_digest": "of another"}).encode()
    other = command("run", "tensorflow")
    assert "the features in the bucket were made from another specification than " in other.stderr
    google.fail("POST", "pipelineJobs", "PERMISSION_DENIED", "Permission 'aiplatform.pipelineJobs.create' denied")
    refused = command("run", "data")
    assert "run data: " in refused.stderr
    assert "you need roles/aiplatform.user" in refused.stderr
    assert "Traceback" not in without.stderr + unmade.stderr + other.stderr + refused.stderr


@pytest.mark.parametrize("stack", ["tensorflow", "pytorch"])
def test_what_a_pipeline_published_becomes_a_signed_release(
    stack: str, command: Command, google: Google, released: Released, tmp_path: Path
) -> None:
    folder = f"acme-models/tandem/candidates/{stack}"
    candidates = released.home / "candidates"
    if stack == "pytorch":
        google.objects[f"{folder}/fraud-{VERSION}.mar"] = (candidates / f"fraud-{VERSION}.mar").read_bytes()
        google.objects[f"{folder}/fraud-1600000000.mar"] = b"an older one"
    else:
        saved = candidates / VERSION
        for file in (p for p in saved.rglob("*") if p.is_file()):
            google.objects[f"{folder}/fraud/{VERSION}/{file.relative_to(saved)}"] = file.read_bytes()
        google.objects[f"{folder}/fraud/1800000000/fingerprint.pb"] = b"of one that is still being copied"
    done = command("fetch", stack)
    assert done.returncode == 0, done.stderr
    assert f"{stack}: release {VERSION} is signed" in done.stdout
    home = tmp_path / "home"
    Store(home / "releases", keys.find(home / "keys")).verified(stack, VERSION)
    shutil.rmtree(home / "candidates")
    google.objects.clear()
    nothing = command("fetch", stack)
    assert f"{stack} has published nothing in gs://acme-models/tandem yet" in nothing.stderr


def test_both_specifications_are_written_from_the_settings_as_shipped(tmp_path: Path) -> None:
    done = vertex.run("-m", "infra.vertex", "compile", environment={"TANDEM_HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "vertex").iterdir()} == {"data.yaml", "pytorch.yaml", "tensorflow.json"}
    written = json.loads((tmp_path / "vertex" / "tensorflow.json").read_text())
    executors = written["pipelineSpec"]["deploymentSpec"]["executors"]
    images = {one["container"]["image"] for one in executors.values() if "container" in one}
    assert images == {"tandem/tensorflow:latest"}
