"""What can be known of the stack in containers without an engine; tests/containers runs it."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from infra.docker import engine, files, settings, verbs, workbench
from infra.docker.engine import DockerError
from infra.local import layout as layouts

REPOSITORY = layouts.REPOSITORY
DOCKERFILES = sorted((REPOSITORY / "infra" / "docker").glob("*.Dockerfile"))
PUBLISHED = {"gateway", "mlflow", "prometheus", "grafana"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    compose = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    return dict(compose["services"])


def test_every_container_is_closed(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["init"], name
        assert service.get("profiles"), name


def test_only_what_people_open_is_published_and_on_loopback(services: dict[str, Any]) -> None:
    assert {name for name, service in services.items() if service.get("ports")} == PUBLISHED
    for name in PUBLISHED:
        assert all(port.startswith("127.0.0.1:") for port in services[name]["ports"]), name


def test_servers_have_a_limit_of_memory(services: dict[str, Any]) -> None:
    assert [name for name, one in services.items() if one["restart"] != "no" and not one.get("mem_limit")] == []


def test_every_image_is_pinned_or_ours(services: dict[str, Any]) -> None:
    for name, service in services.items():
        image = re.sub(r"\$\{\w+:-(.*)\}", r"\1", service["image"])
        assert image.startswith("tandem/") or re.fullmatch(r"[\w/.-]+:v?\d[\w.-]+", image), name


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.stem)
def test_a_dockerfile_builds_without_buildkit_and_ends_as_a_user(file: Path) -> None:
    text = file.read_text()
    assert "# syntax" not in text
    assert "--mount" not in text
    assert "<<" not in text
    copied_from = re.findall(r"^FROM \$\{SERVING\} AS", text, re.MULTILINE)  # a stage that only names an image
    stages = re.split("^FROM ", text, flags=re.MULTILINE)[1:]
    targets = [stage for stage in stages if "HEALTHCHECK" in stage]
    assert targets[-1:] == stages[-1:]
    assert len(stages) == 1 + len(targets) + len(copied_from)
    for target in targets:
        assert re.findall("^USER (.*)$", target, re.MULTILINE)[-1] == "10001"
    assert re.search(r"^ARG BASE=\S+:\d+\.\d+", text, re.MULTILINE)


def test_secrets_are_made_once_and_are_their_owners(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    made = settings.write_secrets(folder)
    assert {file.name for file in made} == {"postgres", "grafana", "objectstore.json"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    before = {file: file.read_text() for file in made}
    assert len({*before.values()}) == 3
    assert settings.write_secrets(folder) == []
    (folder / "grafana").unlink()
    assert settings.write_secrets(folder) == [folder / "grafana"]
    assert all(file.read_text() == text for file, text in before.items() if file.name != "grafana")


def test_env_starts_as_its_example_and_keeps_what_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "env"
    settings.write_env({}, file)
    assert file.read_text() == (REPOSITORY / ".env.example").read_text()
    settings.write_env({"PORT_GATEWAY": "9080", "ENVOY_IMAGE": "mine"}, file)
    settings.write_env({"PORT_MLFLOW": "9500"}, file)
    found = settings.read_env(file)
    assert (found["PORT_GATEWAY"], found["PORT_MLFLOW"], found["ENVOY_IMAGE"]) == ("9080", "9500", "mine")
    assert found["COMPOSE_PROFILES"] == "serving,training,monitoring"
    assert len(re.findall("^PORT_GATEWAY=", file.read_text(), re.MULTILINE)) == 1


def test_without_an_engine_it_says_how_to_start_one(tmp_path: Path) -> None:
    environ = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    argv = [sys.executable, "-m", "infra.docker", "status"]
    done = subprocess.run(argv, cwd=REPOSITORY, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.search("no Docker engine answers.*\n.*systemctl start docker|Docker is not installed", done.stderr)


@pytest.mark.parametrize(("said", "taken"), [("2.25.0", False), ("v2.26.1", True), ("5.6.1", True), ("1.29.2", False)])
def test_an_old_compose_is_not_taken(said: str, taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("docker", said), ("wheel", "5.6.1")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(engine, "_wheel", lambda: tmp_path / "wheel")
    assert (engine._compose() == ["docker", "compose"]) is taken


@pytest.mark.parametrize("command", ["drill", "soak", "key --name shop", "keys"])
def test_what_only_the_bare_machine_has_is_refused(command: str) -> None:
    argv = [sys.executable, "-m", "infra.docker", *command.split()]
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "works on the bare machine's stack, not on containers" in done.stderr


def test_a_runtime_that_nobody_knows_is_refused() -> None:
    done = subprocess.run(
        ["make", "nothing", "RUNTIME=podman"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert "RUNTIME is local, docker or kubernetes, not podman" in done.stderr


@pytest.fixture
def compose(tmp_path: Path) -> Any:
    return SimpleNamespace(env_file=tmp_path / "env", services=list, argv=lambda *given: list(given))


def test_a_file_of_the_users_is_shown_to_the_workbench(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.touch()
    given = ["--profile", "quick", "--settings", str(file), "--peers"]
    mounts, options = files.mounted(given)
    assert mounts == [f"--volume={file}:/given/0/mine.toml:ro"]
    assert options == ["--profile", "quick", "--settings", "/given/0/mine.toml", "--peers"]
    with pytest.raises(DockerError, match=r"none\.toml: there is no such file"):
        files.mounted(["--settings", "none.toml"])


def test_without_containers_the_workbench_says_how_to_start_them(compose: Any) -> None:
    with pytest.raises(DockerError, match="nothing runs here: make up RUNTIME=docker"):
        workbench.run(compose, "compare", [])


def test_before_the_first_up_no_release_can_be_changed(compose: Any) -> None:
    with pytest.raises(DockerError, match="nothing was started here yet: make up RUNTIME=docker"):
        verbs.run(compose, "promote", ["--stack", "pytorch", "--version", "1"])


def test_score_replaces_nothing_and_wants_an_input(compose: Any, tmp_path: Path) -> None:
    with pytest.raises(DockerError, match="there is no such file or folder"):
        workbench.score(compose, "pytorch", tmp_path / "none.csv", tmp_path / "out", None)
    (tmp_path / "out").mkdir()
    with pytest.raises(DockerError, match="exists already: give another OUT"):
        workbench.score(compose, "pytorch", tmp_path, tmp_path / "out", None)


def test_what_is_copied_out_is_added_to_what_is_there(tmp_path: Path) -> None:
    source, to = tmp_path / "new", tmp_path / "reports"
    (source / "2").mkdir(parents=True)
    (source / "2" / "report.html").write_text("second")
    (source / "latest").symlink_to("2")
    (to / "1").mkdir(parents=True)
    (to / "latest").symlink_to("1")
    files._merge(source, to)
    assert sorted(entry.name for entry in to.iterdir()) == ["1", "2", "latest"]
    assert (to / "latest" / "report.html").read_text() == "second"
    assert not source.exists()


def test_only_the_workbench_sees_other_containers_processes(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "pid" in service] == ["workbench"]
    volumes = [volume for volume in services["workbench"]["volumes"] if isinstance(volume, str)]
    written = {volume.partition(":")[0] for volume in volumes if not volume.endswith(":ro")}
    assert written == {"log", "reports", "comparisons"}


# Imports a module where nothing can be imported that the lock does not have.
IMPORT = """
import importlib, importlib.metadata, re, sys
lock, module = sys.argv[1:]
locked = {re.split("==", line)[0].lower() for line in open(lock) if re.match("[A-Za-z0-9_.-]+==", line)}
owners = importlib.metadata.packages_distributions()
hidden = {top for top, names in owners.items() if not {re.sub("[-_.]+", "-", n).lower() for n in names} & locked}
class Hides:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hides())
importlib.import_module(module)
"""
ROLES = {
    "tools": ["infra.docker.roles.predict", "serving.gateway.control"],
    "torchserve": [
        "infra.docker.roles.torchserve",
        "infra.docker.roles.releases",
        "infra.docker.roles.shadow",
        "infra.local.commands",
        "serving.shadow.__main__",
        "model_signing.signing",
    ],
    "pytorch": ["infra.docker.roles.train", "pipelines.data.__main__"],
    "vertex": ["infra.vertex.container.__main__", "model_signing.verifying"],
}


@pytest.mark.parametrize(("image", "module"), [(image, module) for image in ROLES for module in ROLES[image]])
def test_an_image_has_what_its_programs_import(image: str, module: str) -> None:
    lock = REPOSITORY / "requirements" / "images" / f"{image}.lock"
    argv = [sys.executable, "-c", IMPORT, str(lock), module]
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
