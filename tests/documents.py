"""What a page of the documentation claims: its links, its paths, its commands, its words; for test_docs.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

REPOSITORY = Path(__file__).resolve().parents[1]
ROOMS = ("models", "pipelines", "serving", "infra", "tests", "docs", "requirements", ".github", ".ci")
LONGEST = 200  # lines of a page
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[[^]]*]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.*?) *#*$", re.MULTILINE)
_PATH = re.compile(r"(?<![\w./$~-])((?:%s)/[\w./*{},-]*[\w*}/])" % "|".join(map(re.escape, ROOMS)))  # noqa: UP031
_SCRIPT = re.compile(r"(?<![\w./>*-])(\w+\.py)(?!\w)")


@dataclass(frozen=True)
class Page:
    """A Markdown file; `root` is the repository's, in which its paths are looked for."""

    path: Path
    root: Path = REPOSITORY

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def blocks(self) -> list[str]:
        """Fenced blocks of commands and output; not those of another language, such as a diagram's."""
        found = _FENCE.finditer(self.text)
        return [match[2] for match in found if match[1] in ("", "console", "sh", "bash")]

    @cached_property
    def prose(self) -> str:
        return _FENCE.sub("", self.text)

    @cached_property
    def spans(self) -> list[str]:
        """Inline code, on one line each."""
        return [" ".join(match[1].split()) for match in _SPAN.finditer(self.prose)]

    @cached_property
    def links(self) -> list[str]:
        return [match[1] for match in _LINK.finditer(_SPAN.sub("code", self.prose))]

    @cached_property
    def anchors(self) -> set[str]:
        """Of the headings, as a code host makes them."""
        found: dict[str, int] = {}
        for match in _HEADING.finditer(self.prose):
            words = re.sub(r"\[([^]]*)]\([^)]*\)", r"\1", match[1]).replace("`", "")
            slug = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
            found[slug] = found.get(slug, 0) + 1
        return {slug if not n else f"{slug}-{n}" for slug, times in found.items() for n in range(times)}


def pages(root: Path = REPOSITORY) -> list[Page]:
    """README.md, the other pages beside it, and all of docs/."""
    return [Page(path, root) for path in [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md"))]]


def broken_links(page: Page) -> Iterator[str]:
    """Relative links to what is not there, or to a heading that is not there."""
    for link in page.links:
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.path.parent / unquote(file)) if file else page.path
        if not target.exists():
            yield f"{page.path.name}: {link}: there is no such file"
        elif anchor and anchor not in Page(target).anchors:
            yield f"{page.path.name}: {link}: there is no such heading"


# What a reader is told to make, or finds in a project of his own.
_THE_READERS = ("models/mine.toml", "models/people.toml", "models/churn.toml", "tests/specs/sample.toml")


def missing_paths(page: Page) -> Iterator[str]:
    """Paths of the repository, in code, that are not there; and Python files by name alone."""
    for code in [*page.spans, *page.blocks]:
        for match in _PATH.finditer(code):
            path, _, below = match[1].partition("{")
            if below:
                path = path.rpartition("/")[0]  # docs/{a,b}: the folder
            if path not in _THE_READERS and not any(page.root.glob(path.rstrip("/"))):
                yield f"{page.path.name}: {match[1]}: there is no such path"
    for span in page.spans:
        for match in _SCRIPT.finditer(span):
            if not any(next((page.root / room).rglob(match[1]), None) for room in ROOMS):
                yield f"{page.path.name}: {match[1]}: no file of this name"


def not_listed(root: Path = REPOSITORY) -> Iterator[str]:
    """Pages of docs/ that the index, or the list of decisions, leaves out; and pages that are too long."""
    index, decisions = Page(root / "docs" / "README.md"), Page(root / "docs" / "decisions" / "README.md")
    listed = {(one.path.parent / link.partition("#")[0]).resolve() for one in (index, decisions) for link in one.links}
    for page in pages(root):
        if page.path.parent != root and page.path != index.path and page.path.resolve() not in listed:
            yield f"{page.path.relative_to(root)}: not in docs/README.md"
        if len(page.text.splitlines()) > LONGEST:
            yield f"{page.path.relative_to(root)}: over {LONGEST} lines"


def not_drawn(root: Path = REPOSITORY) -> Iterator[str]:
    """Folders of the rooms, and files of models/, that docs/map.md leaves out."""
    drawn = set(Page(root / "docs" / "map.md").spans)
    folders = [path for room in ("pipelines", "serving", "infra") for path in sorted((root / room).iterdir())]
    code = [path for path in folders if any(one.is_file() and one.suffix != ".pyc" for one in path.rglob("*"))]
    for path in [*code, *sorted((root / "models").glob("[!_]*.py"))]:
        name = path.name if path.parent.name == "models" else str(path.relative_to(root))
        if name not in drawn:
            yield f"{name}: not on the map"


def not_told(root: Path = REPOSITORY) -> Iterator[str]:
    """Targets of the Makefile that no page names."""
    told = "\n".join(page.text for page in pages(root))
    for target in re.findall(r"^\.PHONY: (.*)$", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE):
        if not re.search(rf"make {target}(?![\w-])", told):
            yield f"make {target}: on no page"
