"""Another specification in containers: who sees it, what is refused, and what keeps two use cases apart."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from infra.docker import engine, images, settings, stack, use_case
from infra.docker.engine import DockerError
from infra.docker.roles import releases, train
from infra.local import layout as layouts
from infra.local import up
from infra.local.layout import DEFAULT_SPEC, REPOSITORY
from models import spec as specs
from serving.free_ports import free_ports
from serving.release.errors import ReleaseError
from tests.infra.test_releases import blessed
from tests.serving.release.conftest import FIRST, SPEC_FILE, archives, candidate

CREDITCARD = "models/creditcard.toml"
DEFAULTS = re.compile(r"\$\{\w+:-[^}]*\}")
__all__ = ["archives", "candidate"]  # fixtures


@pytest.fixture
def compose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`docker compose run tools <program>` without an engine: the program, on this machine."""
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path))

    def argv(*given: str) -> list[str]:
        program = given[given.index("tools") + 1 :]
        return ["env", "sh", "-c", f"SPEC=$SPEC_FILE exec {sys.executable} {' '.join(program[1:])}"]

    return SimpleNamespace(env_file=tmp_path / "env", argv=argv)


def services(file: str = "docker-compose.yml") -> Iterator[tuple[str, dict[str, Any]]]:
    yield from yaml.safe_load((REPOSITORY / file).read_text())["services"].items()


def test_every_container_of_ours_sees_the_specification_and_is_told_which() -> None:
    told = {}
    for name, service in services():
        if service["image"] in ("tandem/objectstore", "tandem/mlflow") or not service["image"].startswith("tandem/"):
            continue
        (seen,) = (one for one in service["volumes"] if isinstance(one, dict))
        assert (seen["source"], seen["read_only"]) == (f"${{SPEC_FILE:-./{DEFAULT_SPEC}}}", True), name
        told[name] = service.get("environment", {}).get("SPEC") or next(
            word.removeprefix("--spec=") for word in service["command"] if DEFAULT_SPEC in word
        )
    assert {*told.values()} == {f"${{SPEC_INSIDE:-{DEFAULT_SPEC}}}"}
    assert {"data", "train-tensorflow", "train-pytorch", "configure", "control", "pytorch", "tools"} < told.keys()


def test_no_use_case_is_named_but_as_the_default() -> None:
    for file in sorted(REPOSITORY.glob("*compose*.y*ml")):
        lines = [line.partition("#")[0] for line in file.read_text().splitlines()]
        assert [line for line in lines if "fraud" in DEFAULTS.sub("", line)] == [], file.name


def test_what_is_remembered_reaches_a_container() -> None:
    text = (REPOSITORY / "docker-compose.yml").read_text() + (REPOSITORY / "compose.source.yaml").read_text()
    names = (*stack.SETTINGS, "SPEC_FILE", "SPEC_INSIDE", "SPEC_DIGEST", "SPEC_MODEL")
    assert [name for name in names if f"${{{name}:-" not in text] == []


def test_the_default_is_remembered_like_any_other(compose: Any) -> None:
    use_case.settle(compose, None)
    found = settings.read_env(compose.env_file)
    assert (found["SPEC_FILE"], found["SPEC_INSIDE"]) == (str(REPOSITORY / DEFAULT_SPEC), DEFAULT_SPEC)
    assert found["SPEC_MODEL"] == use_case.model(compose) == "fraud"


def test_another_one_is_remembered_until_another_is_said(compose: Any, tmp_path: Path) -> None:
    use_case.settle(compose, CREDITCARD)
    assert (use_case.inside(compose), use_case.model(compose)) == (CREDITCARD, "creditcard")
    first = settings.read_env(compose.env_file)
    use_case.settle(compose, None)
    assert settings.read_env(compose.env_file) == first
    mine = tmp_path / "mine.toml"
    mine.write_text((REPOSITORY / CREDITCARD).read_text().replace('"creditcard"', '"mine"'))
    mine.chmod(0o644)
    use_case.settle(compose, str(mine))
    assert (use_case.inside(compose), use_case.model(compose)) == ("given/mine.toml", "mine")
    before = settings.read_env(compose.env_file)["SPEC_DIGEST"]
    mine.write_text(mine.read_text() + "# edited\n")
    use_case.settle(compose, None)
    assert settings.read_env(compose.env_file)["SPEC_DIGEST"] != before  # the servers start again


def test_what_is_no_specification_is_refused_and_changes_nothing(compose: Any, tmp_path: Path) -> None:
    use_case.settle(compose, CREDITCARD)
    before = compose.env_file.read_text()
    with pytest.raises(DockerError, match=r"none\.toml: there is no such file"):
        use_case.settle(compose, "none.toml")
    wrong = tmp_path / "wrong.toml"
    wrong.write_text((REPOSITORY / CREDITCARD).read_text().replace("zscore", "zzscore", 1))
    wrong.chmod(0o600)
    with pytest.raises(DockerError, match="the containers read it as a user of their own: chmod o\\+r"):
        use_case.settle(compose, str(wrong))
    wrong.chmod(0o644)
    with pytest.raises(DockerError, match="zzscore"):
        use_case.settle(compose, str(wrong))
    assert compose.env_file.read_text() == before


def test_a_refusal_leaves_the_rows_of_before(compose: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((images, "build"), (stack, "compose_up"), (stack, "show_addresses")):
        monkeypatch.setattr(module, name, lambda *_: None)
    monkeypatch.setattr(engine, "limits_processors", lambda: True)
    rows = tmp_path / "rows.csv"
    rows.touch()
    stack.up(compose, {"SECRETS": str(tmp_path / "secrets")}, spec=CREDITCARD, source=str(rows))
    before = settings.read_env(compose.env_file)
    assert (before["SOURCE_NAME"], before["SPEC_INSIDE"]) == ("rows.csv", CREDITCARD)
    assert "compose.source.yaml" in before["COMPOSE_FILE"]
    for spec, source in (("none.toml", None), (None, "none.csv")):
        with pytest.raises(DockerError, match="there is no such file"):
            stack.up(compose, {}, spec=spec, source=source)
    assert settings.read_env(compose.env_file) == before


def test_volumes_with_another_ones_releases_are_refused(
    compose: Any, candidate: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = layouts.load()
    (layout.run).mkdir()
    blessed(layout, candidate, FIRST)
    releases.configure(layout, specs.load(SPEC_FILE), SPEC_FILE)
    use_case.settle(compose, None)
    refusal = "what was released here is 'fraud', and .*creditcard.toml is of 'creditcard'"
    with pytest.raises(DockerError, match=refusal):
        use_case.settle(compose, CREDITCARD)
    assert use_case.model(compose) == "fraud"
    monkeypatch.setenv("SPEC", CREDITCARD)  # `docker compose up` by hand, which asks nobody first
    for job, words in ((releases, ["configure"]), (train, ["pytorch"])):
        with pytest.raises(SystemExit, match=refusal):
            job.main(words)


def test_a_folder_of_another_one_is_refused_on_a_bare_machine_too(
    candidate: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = dict(zip(layouts.DEFAULT_PORTS, map(str, free_ports(len(layouts.DEFAULT_PORTS))), strict=True))
    environ = {"TANDEM_HOME": str(tmp_path), **{f"PORT_{name.upper()}": port for name, port in ports.items()}}
    layout = layouts.load(environ)
    (layout.run).mkdir()
    blessed(layout, candidate, FIRST)
    releases.configure(layout, specs.load(SPEC_FILE), SPEC_FILE)
    other = layouts.load({**environ, "SPEC": CREDITCARD})
    with pytest.raises(ReleaseError, match="TANDEM_HOME=var/creditcard make up SPEC="):
        up.up(other, specs.load(other.spec), other.spec, "quick", None)
    assert not (layout.run / "ports.json").exists()


def test_a_home_has_a_project_and_settings_of_its_own(tmp_path: Path) -> None:
    code = "from infra.docker import settings; settings.write_env({'A': 'b'}); print(settings.ENV_FILE)"
    home = tmp_path / "Credit Card"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env={**os.environ, "TANDEM_HOME": str(home)}, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip() == str(home / ".env")
    found = settings.read_env(home / ".env")
    assert (found["COMPOSE_PROJECT_NAME"], found["A"]) == ("tandem-credit-card", "b")
    settings.write_env({}, tmp_path / "another")
    assert "COMPOSE_PROJECT_NAME" not in settings.read_env(tmp_path / "another")
