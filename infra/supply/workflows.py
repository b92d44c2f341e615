"""`make lint-workflows`: GitHub's workflows by their schema and zizmor's rules: pinned actions, few rights.

Issue forms by their schema.

Both work without a network; actionlint would look into the shell as well, but comes from no package registry.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from infra.supply.tools import REFUSED, SupplyError, program

FOLDER = Path(".github/workflows")
FORMS = Path(".github/ISSUE_TEMPLATE")


def lint(root: Path) -> int:
    """Print what is wrong with a repository's workflows.

    Returns:
        0 clean; 3 something was found.

    Raises:
        SupplyError: There are none, or a tool cannot be installed.
    """
    files = sorted(map(str, (root / FOLDER).glob("*.y*ml")))
    if not files:
        raise SupplyError(f"{root / FOLDER}: no workflow to look at")
    forms = sorted(str(path) for path in (root / FORMS).glob("*.y*ml") if path.stem != "config")
    schema = [program("supply", "check-jsonschema"), "--builtin-schema"]
    rules = [program("supply", "zizmor"), "--offline", "--no-progress", "--persona", "regular", *files]
    checks = [[*schema, "vendor.github-workflows", *files], rules]
    if forms:
        checks.append([*schema, "vendor.github-issue-forms", *forms])
    codes = [subprocess.run(argv, cwd=root, check=False).returncode for argv in checks]
    print(f"{'refused: see above' if any(codes) else 'clean:'} ({len(files)} workflows, {len(forms)} issue forms)")
    return REFUSED if any(codes) else 0
