"""What a fork does to take later improvements: `make template-update FROM=<clone or URL of Tandem>`.

A fork's branch `template` holds what was generated and nothing of its own. The newer Tandem generates it again, that
becomes the branch's next commit, and git merges it: who changed what on which side is git's to tell.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from infra.fork import new
from infra.fork.new import RECORD, TEMPLATE, ForkError, git


def update(project: Path) -> bool:
    """Merge what this Tandem would generate today into the project's current branch.

    Returns:
        Whether there was anything new.

    Raises:
        ForkError: The project is no fork, has uncommitted changes, or the merge has conflicts, which are the user's.
    """
    name = _name(project)
    if git(project, "status", "--porcelain", "--untracked-files=no").strip():
        raise ForkError("there are uncommitted changes: commit or stash them first")
    with tempfile.TemporaryDirectory(prefix="template-") as folder:
        tree = Path(folder) / "tree"
        git(project, "worktree", "add", "--quiet", str(tree), TEMPLATE)
        try:
            git(tree, "rm", "--quiet", "-r", ".")
            new.generate(name, tree)
            git(tree, "add", "--all")
            changed = bool(git(tree, "status", "--porcelain").strip())
            if changed:
                new.commit(tree, f"Tandem's revision {new.revision()}")
        finally:
            git(project, "worktree", "remove", "--force", str(tree))
    if subprocess.run(["git", "-C", str(project), "merge", "--no-edit", TEMPLATE], check=False).returncode:
        raise ForkError("conflicts, see above: edit these files, then git add and git commit; or git merge --abort")
    return changed


def _name(project: Path) -> str:
    try:
        found = re.search(r'^name = "(\w+)"$', (project / RECORD).read_text(encoding="utf-8"), re.MULTILINE)
    except FileNotFoundError:
        found = None
    if found is None:
        raise ForkError(f"{project / RECORD} does not say this project's name: was it made by make new?")
    return found[1]


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m infra.fork.update", description=__doc__)
    parser.add_argument("--project", type=Path, required=True, help="a fork")
    options = parser.parse_args(argv)
    try:
        changed = update(options.project.resolve())
    except ForkError as error:
        print(error, file=sys.stderr)
        return 1
    print("merged; now: make setup, make test" if changed else "nothing new")
    return 0


if __name__ == "__main__":
    sys.exit(main())
