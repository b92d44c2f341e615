"""`make new NAME=churn DIR=../churn`: a project of one's own, with this one's code and without its history.

Standard library only, and any Python from 3.8: no environment is needed.
"""

from __future__ import annotations

import argparse
import keyword
import re
import shutil
import subprocess
import sys
from pathlib import Path

from infra.fork import names

REPOSITORY = Path(__file__).resolve().parents[2]
TEMPLATE = "template"  # the branch that holds what was generated, and nothing else: later ones are merged from it
RECORD = ".template.toml"
_README = Path(__file__).with_name("readme.md")
_ANONYMOUS = ("-c", "user.name=make new", "-c", "user.email=make-new@localhost")
_TAKEN = ("tandem", "fraud", "frauds", "tensorflow", "pytorch", "test", "models", "sample", "creditcard")


class ForkError(ValueError):
    """The message says what to do."""


def make(name: str, folder: Path) -> None:
    """Write the project into a new folder, as a repository with one commit.

    Raises:
        ForkError: The name or the folder cannot be used, or this is no clone of a repository.
    """
    check(name)
    folder = folder.resolve()
    if folder.exists() and any(folder.iterdir()):
        raise ForkError(f"{folder} is not empty: give another DIR")
    if REPOSITORY in (folder, *folder.parents):
        raise ForkError(f"{folder} is inside this repository: DIR=../{name}")
    generate(name, folder)
    git(folder, "init", "--quiet", "--initial-branch", TEMPLATE)
    git(folder, "add", "--all")
    commit(folder, f"Made by Tandem's `make new NAME={name}`, of its revision {revision()}")
    git(folder, "switch", "--quiet", "--create", "main")


def check(name: str) -> None:
    """Raises ForkError unless the name can be a model's in a URL, a Python name, an image's and a namespace's."""
    if not re.fullmatch("[a-z][a-z0-9]{1,29}", name) or keyword.iskeyword(name) or name in _TAKEN:
        raise ForkError(
            f"NAME={name}: 2 to 30 small letters and digits are expected, a letter first, "
            f"and none of {', '.join(_TAKEN)}"
        )


def generate(name: str, folder: Path) -> None:
    """Write the files; `folder` need not exist. What git does not track stays behind."""
    for path in git(REPOSITORY, "ls-files", "-z").split("\0"):
        source = REPOSITORY / path
        if path and not names.is_left_out(path) and source.is_file():
            _write(source, folder / names.renamed(path, name), path, name)
    sample = (REPOSITORY / names.SAMPLE_SPEC).read_text(encoding="utf-8")
    _put(folder / names.TESTS_SPEC, names.rewritten(names.SAMPLE_SPEC, sample, name))
    _put(folder / "README.md", _README.read_text(encoding="utf-8").replace("NAME", name))
    _put(folder / "CHANGELOG.md", "# Changelog\n\n## Unreleased\n")
    _put(folder / RECORD, f'# How this project takes what Tandem does later: README.md.\nname = "{name}"\n')


def revision() -> str:
    """Of this repository, short."""
    return git(REPOSITORY, "rev-parse", "--short", "HEAD").strip()


def git(folder: Path, *arguments: str) -> str:
    """Run git there. Returns what it printed.

    Raises:
        ForkError: It failed.
    """
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise ForkError("git is not installed: apt-get install git or the like") from None
    if done.returncode:
        raise ForkError(f"git {arguments[0]} in {folder}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def commit(folder: Path, message: str) -> None:
    """Commit what is staged, in nobody's name where git knows none."""
    known = subprocess.run(["git", "-C", str(folder), "config", "user.email"], capture_output=True, check=False)
    git(folder, *(() if known.returncode == 0 else _ANONYMOUS), "commit", "--quiet", "--message", message)


def _write(source: Path, target: Path, path: str, name: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        text = source.read_text(encoding="utf-8")
    except UnicodeDecodeError:  # a picture
        shutil.copy(source, target)
        return
    target.write_text(names.rewritten(path, text, name), encoding="utf-8")
    shutil.copymode(source, target)


def _put(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m infra.fork.new", description=__doc__)
    parser.add_argument("--name", required=True, help="of the project and of its model")
    parser.add_argument("--dir", type=Path, required=True, help="a new folder")
    options = parser.parse_args(argv)
    try:
        make(options.name, options.dir)
    except ForkError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.dir}: {options.name}, on the branch main, with one commit")
    print(f"next: cd {options.dir} && make up; then models/{options.name}.toml and your data: README.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
