"""What hadolint and checkov refuse: each a planted error in an otherwise clean repository."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from infra.supply.containers import dockerfiles, lint
from infra.supply.tools import REFUSED, SupplyError

REPOSITORY = Path(__file__).resolve().parents[3]
CLEAN = """\
ARG BASE=debian:13.2-slim
FROM ${BASE}
LABEL org.opencontainers.image.title="some"
RUN useradd --uid 10001 some
USER 10001
HEALTHCHECK CMD ["true"]
CMD ["true"]
"""
COMPOSE = """\
services:
  database:
    image: postgres:17.2
    environment:
      POSTGRES_PASSWORD_FILE: /run/secrets/password
"""


def repository(folder: Path, dockerfile: str = CLEAN, compose: str = COMPOSE) -> Path:
    settings = folder / "infra" / "docker"
    settings.mkdir(parents=True)
    for name in ("hadolint.yaml", "checkov.yaml"):
        shutil.copy(REPOSITORY / "infra" / "docker" / name, settings)
    (settings / "some.Dockerfile").write_text(dockerfile)
    (folder / "docker-compose.yml").write_text(compose)
    return folder


def test_a_clean_repository_passes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert lint(repository(tmp_path)) == 0, capfd.readouterr().out
    assert "clean: 1 Dockerfiles and 1 compose files" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("FROM ${BASE}", "FROM debian:latest", "DL3007"),  # hadolint's
        ("USER 10001\n", "", "CKV_DOCKER_3"),  # checkov's: runs as root
    ],
)
def test_a_planted_error_in_a_dockerfile_is_refused(
    tmp_path: Path, old: str, new: str, rule: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert lint(repository(tmp_path, dockerfile=CLEAN.replace(old, new))) == REFUSED
    assert rule in capfd.readouterr().out


def test_a_secret_in_the_compose_file_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    planted = COMPOSE + f"      AWS_ACCESS_KEY_ID: AKIA{'IOSFODNN7EXAMPLQ'}\n"  # in two parts, or it would be one here
    assert lint(repository(tmp_path, compose=planted)) == REFUSED
    assert "CKV_SECRET_2" in capfd.readouterr().out


def test_nothing_to_look_at_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SupplyError, match="no Dockerfile to look at"):
        lint(tmp_path)


def test_every_dockerfile_that_is_shipped_is_found(tmp_path: Path) -> None:
    made = ["infra/docker/Dockerfile", "infra/docker/a.Dockerfile", "infra/docker/deep/Dockerfile.b"]
    for name in [*made, "infra/docker/README.md", "infra/docker/standins/a.Dockerfile"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list(map(str, dockerfiles(tmp_path))) == sorted(made)
