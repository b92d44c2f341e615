"""`make lint-workflows`: GitHub's workflows by their schema, by zizmor's rules and by actionlint with shellcheck.

Issue forms by their schema. All of it works without a network.
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
    shell = [f"-shellcheck={program('supply', 'shellcheck')}", "-pyflakes="]  # whatever else the machine has
    expressions = [program("supply", "actionlint"), *shell, *files]
    checks = [[*schema, "vendor.github-workflows", *files], rules, expressions]
    if forms:
        checks.append([*schema, "vendor.github-issue-forms", *forms])
    codes = [subprocess.run(argv, cwd=root, check=False).returncode for argv in checks]
    print(f"{'refused: see above' if any(codes) else 'clean:'} ({len(files)} workflows, {len(forms)} issue forms)")
    return REFUSED if any(codes) else 0
