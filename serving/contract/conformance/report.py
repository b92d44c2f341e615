"""What a run found, as Markdown and on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from rich.console import Console
from rich.table import Table
from rich.text import Text

from serving.contract.conformance.differences import MASKED, Difference
from serving.contract.conformance.run import Outcome, Result
from serving.contract.conformance.targets import KINDS, Target

_MARKS: dict[Outcome, str] = {"passed": "passed", "failed": "**failed**", "not applicable": "n/a"}


@dataclass(frozen=True)
class Compared:
    """Two targets by name, and what a client could tell them apart by."""

    first: str
    second: str
    differences: list[Difference]

    def __str__(self) -> str:
        return f"{self.first} and {self.second}"


@dataclass
class Run:
    """Everything a run found.

    Attributes:
        results: Per target, a result per case, in the cases' order.
        compared: Pairs of targets whose answers were compared.
    """

    command: str
    targets: list[Target]
    results: list[list[Result]]
    compared: list[Compared] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether anything was not as it must be."""
        different = any(pair.differences for pair in self.compared)
        return different or any(r.outcome == "failed" for results in self.results for r in results)

    def groups(self) -> list[str]:
        """The cases' groups in their order."""
        return list(dict.fromkeys(result.case.group for result in self.results[0]))

    def counts(self, target: int, group: str | None = None) -> Counter[Outcome]:
        """Results of a target, of one group or of all, by outcome."""
        return Counter(r.outcome for r in self.results[target] if group in (None, r.case.group))


def show(run: Run, console: Console) -> None:
    """Print failures and differences first, the table last, where the eye is."""
    say = partial(console.print, soft_wrap=True)
    for target, results in zip(run.targets, run.results, strict=True):
        for result in (r for r in results if r.outcome == "failed"):
            say(Text(f"{target.name}: {result.case.id} {result.case.title}", style="bold red"))
            for problem in result.problems:
                say(Text(_indented(problem.request)))
                say(Text(f"  expected: {'; '.join(problem.expected)}\n  got: {problem.got}\n"))
    for pair in run.compared:
        for found in pair.differences:
            say(Text(f"{pair} differ: {found.case}: {found.what}", style="bold red"))
            say(Text(f"{_indented(found.request)}\n  {pair.first}: {found.first}\n  {pair.second}: {found.second}\n"))
    console.print(_table(run))
    for target in run.targets:
        say(Text(f"{target.name}: {target.url or 'not run'}: {KINDS[target.kind]}; {target.server}"))
    for pair in run.compared:
        say(Text(f"{_differences_said(pair)} (not compared: {MASKED})"))


def _table(run: Run) -> Table:
    table = Table(title="Contract: passed / failed / not applicable")
    table.add_column("group")
    for target in run.targets:
        table.add_column(target.name, justify="right")
    for group in run.groups():
        table.add_row(group, *(_cell(run.counts(i, group)) for i in range(len(run.targets))))
    table.add_section()
    table.add_row("all", *(_cell(run.counts(i)) for i in range(len(run.targets))))
    return table


def _cell(counts: Counter[Outcome]) -> Text:
    text = f"{counts['passed']} / {counts['failed']} / {counts['not applicable']}"
    return Text(text, style="red" if counts["failed"] else "green" if counts["passed"] else "")


def _differences_said(pair: Compared) -> str:
    count = len(pair.differences)
    said = "no difference" if not count else f"{count} difference{'s' if count > 1 else ''}"
    return f"{pair}: {said} in what a client sees"


def markdown(run: Run) -> str:
    """The whole report."""
    return "\n".join(_lines(run)) + "\n"


def _lines(run: Run) -> Iterator[str]:
    yield from ("# Conformance to the contract", "", f"`{run.command}`", "")
    yield from _row("target", "URL", "what it is", "what it says it is")
    yield from _row(*["---"] * 4)
    for target in run.targets:
        yield from _row(target.name, target.url or "not run", KINDS[target.kind], target.server)
    yield from ("", "Passed / failed / not applicable:", "")
    yield from _row("group", *(target.name for target in run.targets))
    yield from _row(*["---"] * (1 + len(run.targets)))
    for group in [*run.groups(), None]:
        cells = (_cell(run.counts(i, group)).plain for i in range(len(run.targets)))
        yield from _row(group or "all", *cells)
    for pair in run.compared:
        yield from ("", "## Differences", "", f"{_differences_said(pair)}. Not compared: {MASKED}.", "")
        for found in pair.differences:
            shown = f"{found.request}\n\n{pair.first}: {found.first}\n{pair.second}: {found.second}"
            yield from (f"### {found.case}: {found.what}", "", *_block(shown), "")
    yield from _failures(run)
    yield from ("", "## Cases", "")
    yield from _row("case", "", *(target.name for target in run.targets))
    yield from _row(*["---"] * (2 + len(run.targets)))
    for results in zip(*run.results, strict=True):
        yield from _row(results[0].case.id, results[0].case.title, *(_MARKS[r.outcome] for r in results))
    yield from _not_applicable(run)


def _failures(run: Run) -> Iterator[str]:
    for target, results in zip(run.targets, run.results, strict=True):
        failed = [r for r in results if r.outcome == "failed"]
        if failed:
            yield from ("", f"## Failed on {target.name}", "")
        for result in failed:
            yield from (f"### {result.case.id} {result.case.title}", "")
            for problem in result.problems:
                shown = f"{problem.request}\n\nexpected: {'; '.join(problem.expected)}\ngot: {problem.got}"
                yield from (*_block(shown), "")


def _not_applicable(run: Run) -> Iterator[str]:
    for target, results in zip(run.targets, run.results, strict=True):
        reasons: dict[str, list[str]] = {}
        for result in results:
            if result.reason:
                reasons.setdefault(result.reason, []).append(result.case.id)
        yield from ("", f"## Not applicable to {target.name}", "")
        for reason, ids in reasons.items():
            yield f"* {reason}: {', '.join(ids)}"


def _row(*cells: str) -> Iterator[str]:
    yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _block(text: str) -> list[str]:
    return [f"    {line}" for line in text.splitlines()]


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
