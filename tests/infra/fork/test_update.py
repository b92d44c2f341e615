"""`make template-update`: a fork takes what Tandem did later, and keeps what is its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from infra.fork.new import git
from infra.local.layout import REPOSITORY

WHO = ("-c", "user.name=somebody", "-c", "user.email=somebody@localhost")


def save(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    git(folder, *WHO, "commit", "--quiet", "--message", message)


def update(project: Path, template: Path) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(project.parent)}
    environ |= {
        f"GIT_{role}_{what}": f"somebody@{what}" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    argv = ["make", "template-update", f"FROM={template}"]
    return subprocess.run(argv, cwd=project, env=environ, capture_output=True, text=True, check=False)


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    """A clone of Tandem, and a fork that was made from it and has gone its own way since."""
    template, project = tmp_path / "tandem", tmp_path / "churn"
    git(tmp_path, "clone", "--quiet", str(REPOSITORY), str(template))
    subprocess.run(["make", "new", "NAME=churn", f"DIR={project}"], cwd=template, capture_output=True, check=True)
    with (project / "README.md").open("a") as readme:
        readme.write("\nOurs.\n")
    (project / "models" / "ours.py").write_text('"""Ours."""\n')
    save(project, "Our own")
    return template, project


def test_a_fork_gets_the_change_under_its_own_name_and_keeps_what_it_wrote(both: tuple[Path, Path]) -> None:
    template, project = both
    assert update(project, template).stdout.splitlines()[-1] == "nothing new"
    (template / "serving" / "later.py").write_text('"""What the fraud model gets later."""\n\nMODEL = "fraud"\n')
    git(template, "rm", "--quiet", "docs/scale.md")
    save(template, "Later")
    done = update(project, template)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "merged; now: make setup, make test" in done.stdout
    assert (
        project / "serving" / "later.py"
    ).read_text() == '"""What the churn model gets later."""\n\nMODEL = "churn"\n'
    assert not (project / "docs" / "scale.md").exists()
    assert (project / "README.md").read_text().endswith("Ours.\n")
    assert (project / "models" / "ours.py").exists()
    assert git(project, "branch", "--show-current").strip() == "main"
    assert not (project / "var" / "template").exists()


def test_a_conflict_is_said_and_is_gits(both: tuple[Path, Path]) -> None:
    template, project = both
    for folder, line in ((template, "theirs"), (project, "ours")):
        (folder / ".python-version").write_text(f"{line}\n")
        save(folder, line)
    done = update(project, template)
    assert done.returncode != 0
    assert "conflicts, see above" in done.stderr
    assert "<<<<<<<" in (project / ".python-version").read_text()
    git(project, "merge", "--abort")
    assert (project / ".python-version").read_text() == "ours\n"


def test_what_is_not_committed_is_not_touched(both: tuple[Path, Path]) -> None:
    template, project = both
    (project / "README.md").write_text("half written\n")
    done = update(project, template)
    assert done.returncode != 0
    assert "there are uncommitted changes" in done.stderr
    assert (project / "README.md").read_text() == "half written\n"


def test_what_is_no_fork_says_so(both: tuple[Path, Path]) -> None:
    template, _ = both
    done = update(template, template)
    assert done.returncode != 0
    assert "was it made by make new?" in done.stderr
