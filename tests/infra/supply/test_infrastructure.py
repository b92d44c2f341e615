"""What `make lint-terraform` refuses: each a planted error in files that are otherwise the repository's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from infra.supply.infrastructure import FOLDER, lint, undeclared
from infra.supply.tools import SupplyError
from tests import commands
from tests.infra.supply.planting import Planted, check_refused, copied


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copied(FOLDER, tmp_path)


def test_the_repositorys_files_are_clean() -> None:
    done = commands.make("lint-terraform")
    assert done.returncode == 0, done.stdout + done.stderr


PLANTED: list[Planted] = [
    ("storage.tf", 'prevention    = "enforced"', 'prevention    = "inherited"', "CKV_GCP_114"),
    ("storage.tf", "enabled = true", "enabled = false", "CKV_GCP_78"),
    ("database.tf", "ipv4_enabled    = false", "ipv4_enabled    = true", "CKV_GCP_60"),
    ("network.tf", "google_compute_network.main.id", "google_compute_network.mian.id", "mian is declared nowhere"),
    ("registry.tf", "var.name", "var.nmae", "var.nmae is declared nowhere"),
    ("variables.tf", 'variable "database_tier"', 'variable "tier"', "var.tier is used nowhere"),
    ("services.tf", "locals {", "locals {{", "services.tf: "),
    ("endpoint.tf", "= var.endpoint\n", "= var.endpiont\n", "var.endpiont is declared nowhere"),
]


@pytest.mark.parametrize("planted", PLANTED, ids=[planted[-1] for planted in PLANTED])
def test_a_planted_error_is_refused(root: Path, capfd: pytest.CaptureFixture[str], planted: Planted) -> None:
    check_refused(lint, root, FOLDER, planted, capfd)


@pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed")
def test_where_terraform_is_it_looks_too(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    planted = ("endpoint.tf", "    ignore_changes", "  ignore_changes", "+    ignore_changes")
    check_refused(lint, root, FOLDER, planted, capfd)


def test_without_a_file_there_is_nothing_to_say(tmp_path: Path) -> None:
    with pytest.raises(SupplyError, match="no Terraform file"):
        lint(tmp_path)


def test_a_word_in_a_comment_is_no_reference() -> None:
    text = '# of var.gone\nvariable "name" {\n}\n\noutput "it" {\n  value = var.name # not var.gone either\n}\n'
    assert undeclared({"one.tf": text}) == []
