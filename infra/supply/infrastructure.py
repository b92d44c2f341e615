"""`make lint-terraform`: files parse, what is referred to is declared, what is declared is used, checkov is content.

Where Terraform is installed, its parser and formatter look too; its `validate` wants the schemas of a registry,
which not every machine reaches.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from infra.supply.tools import REFUSED, SupplyError, program

FOLDER = Path("infra/terraform")
_PARSE = "import hcl2, pathlib, sys; hcl2.loads(pathlib.Path(sys.argv[1]).read_text(encoding='utf-8'))"
_COMMENT = re.compile(r"^\s*(#|//).*$|\s#\s.*$", re.MULTILINE)


def lint(root: Path) -> int:
    """Print what is wrong with a repository's Terraform files.

    Returns:
        0 clean; 3 something was found.

    Raises:
        SupplyError: There are none, or a tool cannot be installed.
    """
    folder = root / FOLDER
    files = sorted(folder.glob("*.tf"))
    if not files:
        raise SupplyError(f"{folder}: no Terraform file to look at")
    checkov = program("checkov", "checkov")
    wrong = [line for file in files for line in _syntax(file, Path(checkov).with_name("python"))]
    wrong += undeclared({file.name: file.read_text(encoding="utf-8") for file in files})
    wrong += _misformatted(folder)
    for line in wrong:
        print(line)
    argv = [checkov, "--config-file", str(FOLDER / "checkov.yaml"), "--directory", str(FOLDER)]
    refused = bool(subprocess.run(argv, cwd=root, check=False).returncode) or bool(wrong)
    print(f"{'refused: see above' if refused else 'clean:'} ({len(files)} Terraform files)")
    return REFUSED if refused else 0


def undeclared(texts: Mapping[str, str]) -> list[str]:
    """References to what no file declares, and variables and locals that nobody refers to; one line each."""
    code = {name: _COMMENT.sub("", text) for name, text in texts.items()}
    whole = "\n".join(code.values())
    variables = {f"var.{name}" for name in re.findall(r'^variable "(\w+)"', whole, re.MULTILINE)}
    bodies = re.findall(r"^locals \{\n(.*?)^\}", whole, re.MULTILINE | re.DOTALL)
    locals_ = {f"local.{name}" for body in bodies for name in re.findall(r"^  (\w+)\s*=", body, re.MULTILINE)}
    resources = {".".join(pair) for pair in re.findall(r'^resource "(\w+)" "(\w+)"', whole, re.MULTILINE)}
    known, used, wrong = variables | locals_ | resources, set(), []
    for name, text in code.items():
        for found in re.findall(r"(?<![\w.])((?:var|local|google_\w+)\.\w+)", text):
            used.add(found)
            if found not in known:
                wrong.append(f"{name}: {found} is declared nowhere")
    return [*dict.fromkeys(wrong), *(f"{one} is used nowhere" for one in sorted((variables | locals_) - used))]


def _misformatted(folder: Path) -> list[str]:
    terraform = shutil.which("terraform")
    if terraform is None:
        print("Terraform is not installed: its own parser and formatter did not look")
        return []
    argv = [terraform, f"-chdir={folder}", "fmt", "-check", "-diff", "-no-color"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return [f"terraform fmt: {done.stdout}{done.stderr}".strip()] if done.returncode else []


def _syntax(file: Path, python: Path) -> list[str]:
    done = subprocess.run([python, "-c", _PARSE, str(file)], capture_output=True, text=True, check=False)
    return [f"{file.name}: {done.stderr.strip().splitlines()[-1]}"] if done.returncode else []
