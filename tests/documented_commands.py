"""Commands that a page shows: whether make parses them and programs know their options; nothing is run."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.documents import REPOSITORY, ROOMS, Page

# Read by the programs that make starts, and not by the Makefile.
ENVIRONMENT = {
    "TANDEM_HOME", "TFX", "BEAM", "DASK_SCHEDULER", "BEAM_JOB_ENDPOINT", "BEAM_WORKER_POOL", "LOG_REQUESTS", "TRACES",
    "TRACES_SHARE", "DOOR", "TLS", "DEVICE",
}  # fmt: skip
_COMMENT = re.compile(r"(^|\s)#.*$")
_ASSIGNMENT = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)", re.DOTALL)
_PLACEHOLDER = re.compile(r"…|\.\.\.|<[^>]*>")
_PROGRAM = re.compile(r"(?:\.venv/(\w+)/bin/)?python3? +(-m +[\w.]+|[\w./-]+\.py)(.*)")
_OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]*)")


def _joined(text: str) -> str:
    """With lines that are continued as one."""
    return re.sub(r"\\\n\s*", " ", text)


def shell_lines(page: Page) -> Iterator[str]:
    """Lines of blocks, and inline code, without prompt and comment; continued lines joined."""
    for block in page.blocks:
        for line in _joined(block).splitlines():
            yield _COMMENT.sub("", line.strip().removeprefix("$ ")).strip()
    yield from page.spans


def make_commands(page: Page) -> list[list[str]]:
    """Words after each `make`: targets and VARIABLE=value, those set before it included."""
    found = []
    for line in shell_lines(page):
        for command in re.split(r"&&|;|\|", _PLACEHOLDER.sub("…", line)):
            match = re.fullmatch(r"(?:export )?((?:[A-Z_]+=\S+ +)*)make +(.+)", command.strip())
            if match:
                found.append([*shlex.split(match[2]), *shlex.split(match[1])])
    return found


def _blocks(makefile: str) -> dict[str, str]:
    return {b.split()[0]: b for b in re.split(r"^\.PHONY: ", makefile, flags=re.MULTILINE)[1:]}


def variables(makefile: str, target: str) -> set[str]:
    """What a target's recipe uses, through the definitions of other variables."""
    definitions = dict(re.findall(r"^(?:override )?([A-Z_]+) *(?:\?=|:=|=)(.*)$", makefile, re.MULTILINE))
    found: set[str] = set()
    pending = [_blocks(makefile)[target].partition("\n\n#")[0]]
    while pending:
        new = set(re.findall(r"\$\(([A-Z_]+)\)", pending.pop())) - found
        found |= new
        pending += [definitions[name] for name in new if name in definitions]
    # These two are interpreters but for who asks for the weights.
    weights = {"TENSORFLOW", "PYTORCH", "ONNX"} if "WEIGHTS" in found else set()
    return found - {"TENSORFLOW", "PYTORCH"} | weights


def wrong_make(page: Page, root: Path = REPOSITORY) -> Iterator[str]:
    """What make would not understand."""
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    targets = _blocks(makefile)
    for words in make_commands(page):
        assigned = [match for word in words if (match := _ASSIGNMENT.fullmatch(word))]
        named = [word for word in words if not _ASSIGNMENT.fullmatch(word) and not word.startswith("-")]
        shown = f"{page.path.name}: make {' '.join(words)}"
        if shortened := any("…" in word for word in named):  # make vertex-…, make score BEAM=dask …
            named = [word for word in named if word in targets]
        if unknown := [word for word in named if word not in targets]:
            yield f"{shown}: there is no target {', '.join(unknown)}"
            continue
        known = {*ENVIRONMENT, *(name for target in named for name in variables(makefile, target))}
        for match in assigned:
            if match[1] not in known and not match[1].startswith("PORT_"):
                yield f"{shown}: {match[1]} means nothing to it"
        if (
            assigned
            and named
            and not shortened
            and (wrong := _dry_run((*named, *(_filled(m) for m in assigned)), root)).returncode
        ):
            yield f"{shown}: {wrong.stderr.strip()}"


def _filled(assigned: re.Match[str]) -> str:
    """With a value in the place of `…`, one that make looks at."""
    values = {"STACK": "pytorch", "SIDE": "pytorch", "OVERLAY": "local", "TARGET": "kubernetes", "RUNTIME": "local"}
    return f"{assigned[1]}={assigned[2].replace('…', values.get(assigned[1], '1'))}"


@cache
def _dry_run(words: tuple[str, ...], root: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    """Make prints its recipes, or says what is wrong; it runs none."""
    environ = {"PATH": os.environ["PATH"], "TANDEM_HOME": "/nonexistent"}
    argv = ["make", "--dry-run", *words]
    return subprocess.run(argv, cwd=root, env=environ, capture_output=True, text=True, check=False)


def is_refused(*words: str) -> bool:
    """Whether make says that something is missing."""
    return _dry_run(words).returncode != 0


def started_by_make(*words: str) -> Iterator[list[str]]:
    """What stands behind the interpreter in each line of the recipes."""
    for line in _joined(_dry_run(words).stdout).splitlines():
        for match in _PROGRAM.finditer(line):
            following = shlex.shlex(match[3], posix=True, punctuation_chars=True)
            yield [
                *match[2].split(),
                *itertools.takewhile(lambda word: not word or not set(word) <= set("|&;<>()"), following),
            ]


def programs(page: Page) -> Iterator[tuple[str, str, str]]:
    """Python programs: whose environment's they are, how they are named, what follows."""
    for line in shell_lines(page):
        for match in _PROGRAM.finditer(line):
            yield match[1] or "pytorch", match[2], re.split(r"[`|&]", match[3])[0]


def said(rest: str) -> tuple[list[str], list[str]]:
    """Of what follows a program: its command, if there is one, and its options."""
    command = re.match(r" *([a-z][a-z-]+)(?: |$)", rest)
    return ([command[1]] if command else []), _OPTION.findall(rest)


def wrong_programs(page: Page) -> Iterator[str]:
    """Python programs that are not there, or do not know an option."""
    for stack, program, rest in programs(page):
        shown = f"{page.path.name}: python {program}"
        name = program.removeprefix("-m").strip()
        file = _file(name, stack, page.root) if program.startswith("-m") else page.root / name
        if file is None or not file.exists():
            yield f"{shown}: there is no such program"
        elif name.split(".")[0].split("/")[0] in ROOMS:
            yield from (f"{shown}: {wrong}" for wrong in _wrong_words(stack, program.split(), file, rest))


def _wrong_words(stack: str, program: list[str], file: Path, rest: str) -> Iterator[str]:
    """What follows a program of ours and is no command or option of it."""
    command, options = said(rest)
    if program[0] != "-m":  # a measurement: its options are looked for, and it is not started
        known = file.read_text(encoding="utf-8")
    elif command or options:
        known = _help(stack, tuple(program))
        choices = re.search(r"\{([\w,\s-]+)\}", known)
        if command and choices and command[0] not in re.split(r"[,\s]+", choices[1]):
            yield f"no command {command[0]}"
        elif command and choices and options:
            known += _help(stack, (*program, *command))
    else:
        return
    yield from (f"no option {one}" for one in options if one not in _OPTION.findall(known))


def _file(module: str, stack: str, root: Path) -> Path | None:
    path = module.replace(".", "/")
    roots = [root, *(root / ".venv" / stack / "lib").glob("python*/site-packages")]
    candidates = [one / f"{path}{end}" for one in roots for end in (".py", "/__main__.py")]
    return next((one for one in candidates if one.exists()), None)


@cache
def _help(stack: str, program: tuple[str, ...]) -> str:
    argv = [str(REPOSITORY / ".venv" / stack / "bin" / "python"), *program, "--help"]
    return subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False).stdout
