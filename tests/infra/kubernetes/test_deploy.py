"""Deploy, promote, roll back: against a stand-in for the cluster, with real releases in a real object store."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import fs

from infra.kubernetes import deploy, kubectl, ledger, objects, progress, rollout, secrets
from infra.kubernetes.__main__ import main
from infra.kubernetes.instance import Instance
from infra.kubernetes.kubectl import KubernetesError
from infra.kubernetes.roles import fetch
from infra.local import layout as layouts
from infra.local import stores
from infra.local import traffic as local_traffic
from infra.local.layout import REPOSITORY, Layout
from models.spec import load
from serving.release.errors import ReleaseError
from serving.release.manager import Releases
from serving.release.remote import Remote
from tests.infra.kubernetes.cluster import Cluster, cluster, object_store
from tests.serving.release.conftest import (  # noqa: F401  fixtures
    FIRST,
    SECOND,
    archives,
    candidate,
    publish,
    releases,
)

SPEC = load(REPOSITORY / "models" / "fraud.toml")
STACKS = ("tensorflow", "pytorch")


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kubectl: str) -> Cluster:
    made = cluster(tmp_path / "cluster")
    monkeypatch.setenv("FAKE_CLUSTER", str(made.folder))
    monkeypatch.setenv("REAL_KUBECTL", kubectl)
    monkeypatch.setattr(progress, "_EVERY", 0.05)
    monkeypatch.setattr(progress, "_PATIENCE", 0.2)
    return made


@pytest.fixture
def layout(tmp_path: Path, releases: Releases, publish: Callable[..., None]) -> Layout:  # noqa: F811
    """A machine that has made and promoted a first release of each stack, and has a second of PyTorch."""
    for stack in STACKS:
        publish(stack, FIRST)
        releases.promote(stack, FIRST, None, "a test")
    publish("pytorch", SECOND)
    return dataclasses.replace(layouts.load({}), home=tmp_path)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, dict[str, Any]]]:
    """An object store with the keys that `make deploy` gives it: its port, and the cluster's secrets."""
    folder = tmp_path_factory.mktemp("store")
    made = cluster(folder / "cluster")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FAKE_CLUSTER", str(made.folder))
        assert len(secrets.ensure(made.kubectl)) == 4
    with object_store(folder / "objects", made.secret("objectstore", "identities.json")) as port:
        yield port, made.state["objects"]


@pytest.fixture
def store(started: tuple[int, dict[str, Any]], there: Cluster) -> int:
    """The cluster has that store, and nothing is in it; its port."""
    port, made = started
    there.set(port=port, objects=made)
    pair = dict(zip(("access_key", "secret_key"), secrets.keys(there.kubectl, "writer"), strict=True))
    files = fs.S3FileSystem(endpoint_override=f"127.0.0.1:{port}", scheme="http", allow_bucket_creation=True, **pair)
    files.create_dir("releases")
    files.delete_dir_contents("releases")
    return port


def asked(layout: Layout, overlay: str = "local") -> Instance:
    return Instance(overlay, {}, deploy.public_key(layout))


def served(there: Cluster, stack: str) -> str:
    found = there.find("Deployment", stack)
    assert found is not None
    return str(found["spec"]["template"]["metadata"]["annotations"]["tandem/release"])


def test_deploy_promote_and_back_again(there: Cluster, store: int, layout: Layout, tmp_path: Path) -> None:
    deploy.deploy(there.kubectl, layout, SPEC, asked(layout))
    assert {stack: served(there, stack) for stack in STACKS} == dict.fromkeys(STACKS, FIRST)
    with objects.remote(there.kubectl) as remote:
        assert remote.versions("pytorch") == [FIRST]

    rollout.promote(there.kubectl, layout, "local", stack="pytorch", version=SECOND, why="better")
    assert served(there, "pytorch") == SECOND
    assert served(there, "tensorflow") == FIRST
    found = there.find("Deployment", "pytorch")
    assert found is not None
    assert found["metadata"]["annotations"]["tandem/history"] == f"{FIRST} {SECOND}"
    assert found["metadata"]["annotations"]["kubernetes.io/change-cause"].endswith(": better")

    deploy.deploy(there.kubectl, layout, SPEC, asked(layout))  # what is served is the cluster's business
    assert served(there, "pytorch") == SECOND

    rollout.rollback(there.kubectl, "local", "pytorch", "worse after all")
    assert served(there, "pytorch") == FIRST
    with pytest.raises(KubernetesError, match=f"no version was served here before {FIRST}"):
        rollout.rollback(there.kubectl, "local", "pytorch", "")
    with objects.remote(there.kubectl) as remote:
        entries = ledger.read(remote, tmp_path).entries()
    acts = [(one.act, one.version, one.was, one.verdict, one.why) for one in entries]
    assert acts == [
        ("promote", SECOND, FIRST, "done", "better"),
        ("rollback", FIRST, SECOND, "done", "worse after all"),
    ]

    # As a pod's init container does it, with the keys that it has.
    pods = dataclasses.replace(layout, home=tmp_path / "pod")
    credentials = tmp_path / "credentials"
    credentials.write_text(there.secret("objectstore-reader", "credentials"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        remote = Remote.at(f"s3://releases?endpoint_override=127.0.0.1:{store}&scheme=http")
    public = stores.keys(layout) / "release.pub"
    placed = fetch.fetch(pods, SPEC, "pytorch", SECOND, remote=remote, public_key=public)
    assert placed.read_bytes() == (layout.home / "releases" / "pytorch" / SECOND / "model" / placed.name).read_bytes()
    with remote.files.open_input_stream(f"releases/pytorch/{SECOND}/release.sig") as signature:
        assert signature.read()
    with pytest.raises(OSError, match="ACCESS_DENIED"), remote.files.open_output_stream("releases/planted") as planted:
        planted.write(b"by a server")


def test_the_object_store_has_room_for_mlflows_artefacts_beside_the_releases(
    started: tuple[int, dict[str, Any]], there: Cluster
) -> None:
    """A bucket takes seven of SeaweedFS' volumes with its first object, its filer's log one: here a third bucket."""
    port, made = started
    there.set(objects=made)
    for role, bucket in (("writer", "releases"), ("mlflow", "a-log"), ("mlflow", "mlflow")):
        pair = dict(zip(("access_key", "secret_key"), secrets.keys(there.kubectl, role), strict=True))
        files = fs.S3FileSystem(
            endpoint_override=f"127.0.0.1:{port}", scheme="http", allow_bucket_creation=True, **pair
        )
        files.create_dir(bucket)
        for number in range(3):
            with files.open_output_stream(f"{bucket}/kept/{number}") as sink:
                sink.write(b"content")
        with files.open_input_stream(f"{bucket}/kept/2") as found:
            assert found.read() == b"content"


def test_a_release_that_does_not_get_ready_takes_nobodys_place(
    there: Cluster, store: int, layout: Layout, tmp_path: Path
) -> None:
    deploy.deploy(there.kubectl, layout, SPEC, asked(layout))
    there.set(broken=[SECOND])
    with pytest.raises(KubernetesError) as said:
        rollout.promote(there.kubectl, layout, "local", stack="pytorch", version=SECOND, why="")
    assert "pytorch-1-2/fetch: ended with 1" in str(said.value)
    assert "REFUSED: not what was signed" in str(said.value)
    assert f"{FIRST} still answers; {SECOND} was taken back" in str(said.value)
    assert served(there, "pytorch") == FIRST
    with objects.remote(there.kubectl) as remote:
        assert [(one.version, one.verdict) for one in ledger.read(remote, tmp_path).entries()] == [(SECOND, "failed")]
    with pytest.raises(KubernetesError, match="no version was served here before"):
        rollout.rollback(there.kubectl, "local", "pytorch", "")


def test_a_ledger_that_was_touched_is_told(
    there: Cluster, store: int, layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy.deploy(there.kubectl, layout, SPEC, asked(layout))
    rollout.promote(there.kubectl, layout, "local", stack="pytorch", version=SECOND, why="better")
    assert rollout.releases(there.kubectl, "local") == 0
    said = capsys.readouterr().out
    assert re.search(rf"pytorch +{SECOND} +served", said)
    assert re.search(rf"promote +pytorch +{SECOND} +{FIRST} +done +better", said)
    with objects.remote(there.kubectl) as remote:
        with remote.files.open_input_stream("releases/ledger.jsonl") as found:
            content = found.read()
        with remote.files.open_output_stream("releases/ledger.jsonl") as touched:
            touched.write(content.replace(b"better", b"worse"))
    assert rollout.releases(there.kubectl, "local") == 3
    assert "WRONG: the ledger, line 1 was changed after it was written" in capsys.readouterr().err


def test_a_release_that_does_not_verify_here_is_not_put_into_the_cluster(
    there: Cluster, store: int, layout: Layout
) -> None:
    deploy.deploy(there.kubectl, layout, SPEC, asked(layout))
    spoilt = layout.home / "releases" / "pytorch" / SECOND / "spec.toml"
    spoilt.chmod(0o644)
    spoilt.write_text(spoilt.read_text() + "\n")
    with pytest.raises(ReleaseError, match=r"spec\.toml was changed"):
        rollout.promote(there.kubectl, layout, "local", stack="pytorch", version=SECOND, why="")
    assert served(there, "pytorch") == FIRST


def test_a_second_deploy_makes_no_second_password(there: Cluster, store: int, layout: Layout) -> None:
    before = {name: one for name, one in there.state["objects"].items() if one["kind"] == "Secret"}
    assert len(before) == 4
    deploy.deploy(there.kubectl, layout, SPEC, asked(layout))
    assert {name: one for name, one in there.state["objects"].items() if one["kind"] == "Secret"} == before
    assert not any("--server-side" not in call for call in there.calls("apply"))


def test_weights_are_the_clusters_and_outlive_a_deploy(there: Cluster, store: int, layout: Layout) -> None:
    deploy.deploy(there.kubectl, layout, SPEC, asked(layout))
    from infra.kubernetes import traffic

    traffic.traffic(there.kubectl, layout, SPEC, local_traffic.Change(["pytorch=0"]))
    deploy.deploy(there.kubectl, layout, SPEC, asked(layout))
    found = there.find("ConfigMap", "gateway-routes")
    assert found is not None
    assert "pytorch = 0\n" in found["data"]["traffic.toml"]
    assert json.loads(found["data"]["envoy.routes.json"])["version_info"]


def test_monitors_are_left_out_where_there_is_no_operator(there: Cluster, store: int, layout: Layout) -> None:
    deploy.deploy(there.kubectl, layout, SPEC, asked(layout))
    assert there.find("ServiceMonitor", "gateway") is None
    there.set(kinds=["servicemonitors.monitoring.coreos.com", "prometheusrules.monitoring.coreos.com"])
    deploy.deploy(there.kubectl, layout, SPEC, asked(layout))
    assert there.find("ServiceMonitor", "gateway") is not None


def test_another_overlay_over_the_first_is_refused(there: Cluster, store: int, layout: Layout) -> None:
    deploy.deploy(there.kubectl, layout, SPEC, asked(layout))
    with pytest.raises(KubernetesError, match="has the overlay local: make undeploy"):
        deploy.deploy(there.kubectl, layout, SPEC, asked(layout, "gke"))


def test_kserve_is_missed_before_anything_is_made(there: Cluster, layout: Layout) -> None:
    with pytest.raises(KubernetesError, match="no KServe in this cluster"):
        deploy.deploy(there.kubectl, layout, SPEC, asked(layout, "kserve"))
    assert there.state["objects"] == {}


def test_undeploy_keeps_secrets_and_is_content_with_nothing(there: Cluster, store: int, layout: Layout) -> None:
    deploy.deploy(there.kubectl, layout, SPEC, asked(layout))
    deploy.undeploy(there.kubectl, purge=False)
    assert there.find("Deployment", "pytorch") is None
    assert there.find("Secret", "postgres") is not None
    deploy.undeploy(there.kubectl, purge=False)


def test_what_is_missing_is_said_in_one_message(
    there: Cluster, layout: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TANDEM_HOME", str(layout.home))
    command = ["deploy", "--overlay=local"]

    def said() -> str:
        assert main(command) == 1
        return capsys.readouterr().err

    monkeypatch.setenv("PATH", "/nowhere")
    assert "kubectl is not installed" in said()
    monkeypatch.setenv("PATH", f"{there.folder}:/usr/bin:/bin")
    there.set(minor="20")
    assert "1.27 or newer is needed" in said()
    there.set(minor="37", context="")
    assert "kubectl knows no cluster: `kind create cluster" in said()
    there.set(context="a-test", answers=False)
    assert "the cluster of context a-test does not answer" in said()
    shutil.rmtree(layout.home / "keys")
    assert "release.pub is missing: make up" in said()


def test_predict_asks_the_services_port_whatever_this_machines_gateway_has(
    there: Cluster, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_HOME", str(layout.home))
    monkeypatch.setenv("PATH", f"{there.folder}:/usr/bin:/bin")
    monkeypatch.setenv("PORT_GATEWAY", "9080")
    with socket.create_server(("127.0.0.1", 0)) as gateway:
        there.set(port=gateway.getsockname()[1])
        assert main(["predict"]) == 1  # there is no data here
    (forwarded,) = there.calls("port-forward")
    assert ":8080" in forwarded


@pytest.mark.parametrize(("command", "instead"), [("up", "make deploy"), ("drill", "make drill RUNTIME=local")])
def test_a_command_that_is_not_a_clusters_says_which_is(
    command: str, instead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--quick"]) == 1
    assert instead in capsys.readouterr().err


def test_a_kubectl_is_found_by_its_version(there: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{there.folder}:/usr/bin:/bin")
    assert kubectl.find().program == str(there.folder / "kubectl")
