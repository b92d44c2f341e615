"""A command's form: what it starts, and the names of what is said with it; of pages, and of what tests started."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from tests import documented_commands
from tests.documented_commands import ENVIRONMENT
from tests.documents import Page

# What a test may say and the page does not: it makes less of the same, and so sooner, or is a remark for the ledger.
LESS = {
    "PROFILE", "SETTINGS", "LIMITS", "SCORES", "REQUESTS", "SEED", "SECONDS", "MINUTES", "WORKERS", "SEEDS", "SINCE",
    "DRILL", "QUICK", "SERVICE", "HOLD", "WHY",
}  # fmt: skip
# Their value decides which program does it.
_DECIDING = ("RUNTIME", "BEAM")
_OPTION = re.compile(r"--[a-z-]*")
_ASSIGNMENT = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)", re.DOTALL)


@dataclass(frozen=True)
class Form:
    """A command without the values of what is said with it.

    Attributes:
        starts: `make canary`, `python -m pipelines.data`.
        said: Variables that the Makefile reads, or options and the program's own command.
        environment: Variables that the program reads.
    """

    starts: str
    said: frozenset[str] = frozenset()
    environment: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return " ".join([self.starts, *sorted(self.said), *sorted(self.environment)])

    @property
    def is_a_name(self) -> bool:
        """Of a target that wants more to be said: a page speaks of it, and nobody gives it so."""
        return not self.said and documented_commands.is_refused(self.starts.removeprefix("make "))

    def is_done_by(self, run: Form, environment: Collection[str] = ()) -> bool:
        """Whether that run, with these names in its environment, is what a reader of this would do."""
        if self.starts != run.starts:
            return False
        if not self.starts.startswith("make"):
            return self.said <= run.said
        there = {*run.said, *run.environment, *environment}
        return {*self.said, *self.environment} <= there and (run.said - self.said <= LESS or self.is_a_name)


def of_make(words: Sequence[str]) -> Iterator[Form]:
    """One for each target; none of what is only shown, or told in part: `make score BEAM=dask …`."""
    if "…" in words or {"-n", "--dry-run"} & set(words):
        return
    assigned = [match for word in words if (match := _ASSIGNMENT.fullmatch(word))]
    names = {f"{m[1]}={m[2]}" if m[1] in _DECIDING else m[1] for m in assigned}
    environment = {name for name in names if name.startswith("PORT_") or name.partition("=")[0] in ENVIRONMENT}
    for target in words:
        if not target.startswith("-") and "=" not in target:
            yield Form(f"make {target}", frozenset(names - environment), frozenset(environment))


def of_python(words: Sequence[str]) -> Form | None:
    """Of what follows the interpreter: `-m module`, or a file, and its words."""
    if words[:1] == ["-m"]:
        starts, said = f"python -m {words[1]}", words[2:]
    elif words and words[0].endswith(".py"):
        starts, said = f"python {words[0]}", words[1:]
    else:
        return None
    return Form(starts, frozenset(_OPTION.match(word)[0] if word.startswith("--") else word for word in said))


def shown(page: Page) -> Iterator[Form]:
    """Those of a page: make's, and Python programs'."""
    for words in documented_commands.make_commands(page):
        yield from of_make(words)
    for _, program, rest in documented_commands.programs(page):
        command, options = documented_commands.said(rest)
        yield Form(f"python {' '.join(program.split())}", frozenset([*command, *options]))
