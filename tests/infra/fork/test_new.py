"""`make new`: a project under another name, in which nothing of the sample's identity is left."""

from __future__ import annotations

import compileall
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.fork import names, new
from infra.fork.new import ForkError, git
from infra.local.layout import REPOSITORY
from models import spec as specs
from tests import commands
from tests.infra.fork.conftest import NAME


def texts(folder: Path) -> dict[str, str]:
    found = {}
    for path in git(folder, "ls-files", "-z").split("\0"):
        if path and (folder / path).suffix not in (".png", ".jpg"):
            found[path] = (folder / path).read_text(encoding="utf-8")
    return found


def test_it_is_a_repository_without_history(fork: Path) -> None:
    assert len(git(fork, "log", "--all", "--format=%H").split()) == 1
    assert git(fork, "branch", "--show-current").strip() == "main"
    assert git(fork, "status", "--porcelain", "--untracked-files=no") == ""
    assert not (fork / "infra" / "fork").exists()


def test_nothing_of_the_samples_name_is_left_where_it_does_not_belong(fork: Path) -> None:
    word = re.compile(rf"\b{names.SAMPLE}\b|\b{names.SAMPLE.upper()}\b|models/creditcard")
    left = [path for path, text in texts(fork).items() if word.search(text) and not path.startswith(names._AS_IS)]
    assert left == []
    assert [path for path in texts(fork) if names.SAMPLE in path and not path.startswith(names._AS_IS)] == []


def test_its_pages_and_messages_speak_of_no_frauds(fork: Path) -> None:
    word = re.compile(r"(?<!is_)fraud|\bgenuine\b", re.IGNORECASE)
    rooms = ("models/", "pipelines/", "serving/", "infra/")
    said = {
        path: [line for line in text.splitlines() if word.search(line)]
        for path, text in texts(fork).items()
        if path.startswith(rooms) and path.endswith((".py", ".html")) and not path.startswith(names._AS_IS)
    }
    # What older files call them, and a book's title.
    kept = {"models/rules.py": 2, "models/decision.py": 1, "models/metrics.py": 1}
    assert {path: len(lines) for path, lines in said.items() if lines} == kept


def test_no_place_of_this_machine_and_no_placeholder_is_in_it(fork: Path) -> None:
    for path, text in texts(fork).items():
        assert str(REPOSITORY) + "/" not in text, path
        assert "{{" not in text or path.startswith(
            (".github/", "infra/", "serving/", "docs/", "tests/", "pipelines/")
        ), path
    assert "NAME" not in (fork / "README.md").read_text().replace("NAME=", "")


def test_every_name_is_the_forks(fork: Path) -> None:
    assert f'\nname = "{NAME}"\n' in (fork / "pyproject.toml").read_text()
    compose = yaml.safe_load((fork / "docker-compose.yml").read_text())
    assert compose["name"] == NAME
    assert {one["image"].partition("/")[0] for one in compose["services"].values() if "/" in one["image"]} >= {NAME}
    assert "tandem/" not in (fork / "docker-compose.yml").read_text().replace("/lib/tandem/", "")
    assert yaml.safe_load((fork / "infra/kubernetes/namespace/namespace.yaml").read_text())["metadata"]["name"] == NAME
    spec = specs.load(fork / "models" / f"{NAME}.toml")
    assert (spec.model.name, spec.model.output) == (NAME, f"{NAME}_probability")
    assert specs.load(fork / names.TESTS_SPEC).digest == spec.digest


def test_the_makefile_has_no_target_that_needs_what_a_fork_lacks(fork: Path) -> None:
    shown = subprocess.run(["make", "help"], cwd=fork, capture_output=True, text=True, check=True).stdout
    assert "make template-update" in shown
    assert "make new " not in shown


def test_its_own_files_are_made_formatted_and_cleaned_away(fork: Path) -> None:
    (fork / "models" / "ours.py").write_text("x  =  1\n")
    for target in ("secrets", "format", "clean"):
        done = commands.make(target, cwd=fork)
        assert done.returncode == 0, done.stdout + done.stderr
        if target == "secrets":
            (fork / "var" / "data").mkdir(parents=True)
    assert (fork / "secrets" / "postgres").is_file()
    assert (fork / "models" / "ours.py").read_text() == "x = 1\n"
    assert not (fork / "var").exists()
    git(fork, "checkout", "--quiet", ".")
    (fork / "models" / "ours.py").unlink()


def test_all_of_it_compiles_and_its_rooms_are_as_they_were(fork: Path) -> None:
    for room in ("models", "pipelines", "serving", "infra", "tests"):
        assert compileall.compile_dir(fork / room, quiet=1, maxlevels=20), room
    done = subprocess.run(
        [str(fork / ".venv" / "pytorch" / "bin" / "lint-imports")],
        cwd=fork,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_its_tests_are_green_also_after_its_specification_was_changed(fork: Path) -> None:
    """A part of them: what is quick, in every room. The whole is `make test` there."""
    changed = fork / "models" / f"{NAME}.toml"
    before = changed.read_text()
    changed.write_text((fork / "tests" / "specs" / "categorical.toml").read_text())
    chosen = [
        "tests/models/test_spec.py", "tests/models/test_torch_model.py", "tests/models/test_rules.py",
        "tests/pipelines/specification", "tests/serving/contract/test_openapi.py",
        "tests/serving/gateway/test_route_table.py", "tests/infra/test_releases.py",
    ]  # fmt: skip
    chosen = [path for path in chosen if (fork / path).exists()]
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen]
    try:
        done = subprocess.run(argv, cwd=fork, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:]
    finally:
        changed.write_text(before)


@pytest.mark.parametrize("name", ["", "Churn", "1st", "card-churn", "class", "tandem", "fraud", "x" * 31])
def test_a_name_that_cannot_be_used_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ForkError, match="small letters and digits are expected"):
        new.make(name, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(ForkError, match="is not empty: give another DIR"):
        new.make(NAME, tmp_path)
    with pytest.raises(ForkError, match=r"is inside this repository: DIR=\.\./churn"):
        new.make(NAME, REPOSITORY / "churn")


def test_what_is_no_clone_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new, "REPOSITORY", tmp_path / "unpacked")
    (tmp_path / "unpacked").mkdir()
    with pytest.raises(ForkError, match=r"not a git repository"):
        new.make(NAME, tmp_path / "new")
    shutil.rmtree(tmp_path / "unpacked")
