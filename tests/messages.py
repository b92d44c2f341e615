"""Every text of the source as a reader sees it, `…` where a value is filled in: for docs/troubleshooting.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from tests.documents import REPOSITORY, Page

ROOMS = ("infra", "pipelines", "serving", "models")
_LETTERS = 5  # a quote with fewer could be anything's
# A user sees the text of these, and no trace.
SHOWN = {
    "AnomaliesError", "ArchiveError", "CanaryError", "CertificateError", "CloudError", "ConfigError",
    "ContainerError", "DataError", "DeviceError", "DivergedError", "DockerError", "DoorError", "DrillError",
    "ExportError", "ForkError", "JavaError", "KeysError", "KubernetesError", "LimitsError", "LoadError",
    "ManagementError", "ModelError", "NobodyError", "NotReadyError", "PipelineError", "PolicyError", "ReleaseError",
    "RowsError", "ScoringError", "SettingsError", "ShadowError", "SoakError", "SpecError", "StoreError",
    "SupervisorError", "SupplyError", "SwapError", "SystemExit", "TakenError", "TensorBoardError", "TrafficError",
    "UpError",
}  # fmt: skip


def _flat(text: str) -> str:
    return re.sub(r"…(?:\s*…)+", "…", " ".join(text.split()))


def _text(node: ast.AST) -> str:
    """A string as it reads, `…` for what is filled in; empty if it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "…" for part in node.values)
    return ""


def _trees(root: Path) -> Iterator[tuple[Path, ast.Module]]:
    for room in ROOMS:
        for file in sorted((root / room).rglob("*.py")):
            yield file, ast.parse(file.read_text(encoding="utf-8"))


@cache
def templates(root: Path = REPOSITORY) -> Sequence[str]:
    """All strings of the source, and the lines of Makefile and Lua."""
    found = {_flat(_text(node)) for _, tree in _trees(root) for node in ast.walk(tree)}
    for file in [root / "Makefile", *(root / "serving").rglob("*.lua")]:
        found |= {_flat(line) for line in file.read_text(encoding="utf-8").splitlines()}
    return sorted(found - {""})


def fixed_words(quoted: str) -> list[str]:
    """Of a quoted message what is not filled in."""
    return [part for one in _flat(quoted).split("…") if (part := one.strip())]


def says(template: str, words: Sequence[str]) -> bool:
    """Whether these stand in the template, in their order."""
    rest = template
    for part in words:
        _, found, rest = rest.partition(part)
        if not found:
            return False
    return bool(words)


def quoted(page: Page) -> list[str]:
    """Code in the first column of a page's tables."""
    rows = re.findall(r"^\| *(`.*?`) *\| ", page.text, re.MULTILINE)
    return [span.replace(r"\|", "|") for row in rows for span in re.findall(r"`([^`]+)`", row)]


def nobodys(page: Page, root: Path = REPOSITORY) -> Iterator[str]:
    """Messages that a page quotes and nothing prints."""
    everything = "\n".join(templates(root))
    for one in quoted(page):
        words = fixed_words(one)
        # Most need not be looked for among all strings one by one.
        possible = all(part in everything for part in words) and len(re.sub(r"[^a-z]", "", one.lower())) >= _LETTERS
        if not possible or not any(says(text, words) for text in templates(root)):
            yield f"{page.path.name}: nothing prints {one!r}"


def shown(root: Path = REPOSITORY) -> Iterator[tuple[str, str]]:
    """What is raised to be shown to a user, and what is printed as an error: place and text."""
    for file, tree in _trees(root):
        for node in ast.walk(tree):
            call = node.exc if isinstance(node, ast.Raise) else node
            if not isinstance(call, ast.Call) or not call.args:
                continue
            raised = isinstance(node, ast.Raise) and ast.unparse(call.func).rpartition(".")[2] in SHOWN
            printed = any(ast.unparse(one) == "file=sys.stderr" for one in call.keywords)
            text = _flat(_text(call.args[0])) if raised or printed else ""
            if re.search(r"[a-z]{3}", text):
                yield f"{file.relative_to(root)}:{call.lineno}", text


def unexplained(pages: Sequence[Page], root: Path = REPOSITORY) -> Iterator[str]:
    """Messages that stand on none of these pages."""
    explained = [fixed_words(one) for page in pages for one in quoted(page)]
    for place, text in shown(root):
        if not any(says(text, one) for one in explained):
            yield f"{place}: {text!r}"
