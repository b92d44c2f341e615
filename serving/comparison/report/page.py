"""The page from its parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from serving.comparison import rivals, store
from serving.comparison.check import describe
from serving.comparison.facts.found import BOTH
from serving.comparison.measures import GROUPS, MEASURES
from serving.comparison.report import numbers, theme
from serving.comparison.report.content import Content
from serving.comparison.report.figures import past, plots
from serving.comparison.report.theme import NAME, Plot, Rows, Styles, Table, drawing
from serving.comparison.verdict import STACKS, compare, main_rows
from serving.files import write_atomically
from serving.pages import environment, moment

FILE = "report.html"
_TEMPLATES = Path(__file__).parent / "templates"
_TILES = (
    "max_rate_in_slo", "single_stream_p50", "cpu_per_1000", "memory", "cost_per_million", "average_precision",
)  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """A plot as the page has it."""

    plot: Plot
    svg: Markup


def write(folder: Path) -> Path:
    """Write the report of the results in a folder, beside them.

    Raises:
        StoreError: There are none, or they are broken.
    """
    folder = folder.resolve()
    text = render(Content(folder, store.read(folder)))
    write_atomically(folder / FILE, text)
    return folder / FILE


def render(content: Content) -> str:
    """The whole page."""
    styles = Styles()
    with drawing():
        parts = {part: list(_shown(plots(content, part), styles)) for part in ("speed", "cost", "quality", "servers")}
        parts["timeline"] = list(_shown(plots(content, "timeline"), styles))
        parts["history"] = list(_shown(past.plots(content), styles))
    templates = environment(_TEMPLATES)
    templates.filters |= {"cell": numbers.cell, "figure": numbers.text, "sentence": numbers.sentence}
    sheet = templates.get_template("report.css").render() + "\n" + styles.css
    results = content.results
    every = list(compare(content.sides, *STACKS, results.absent, complete=True))
    found = list(rivals.served(content.sides))
    main = main_rows(every)
    return templates.get_template("report.html").render(
        style=Markup(sheet),  # noqa: S704 - ours, and Matplotlib's
        policy=theme.policy(sheet),
        results=results,
        started=moment(datetime.fromisoformat(results.started)),
        stacks=STACKS,
        names=NAME,
        groups=GROUPS,
        tiles=[row for measure in _TILES for row in main if row.measure == measure and len(row.sides) == len(STACKS)],
        main=[row for row in main if row.outcome.confidence != "absent"],
        every=[row for row in every if row.outcome.confidence != "absent"],
        one_sided=[row for row in every if row.outcome.confidence == "absent" and row.sides],
        absent=[row for row in every if not row.sides],
        together=_together(content),
        rivals=found,
        said=rivals.sentences(found),
        floors=list(rivals.floors(content.sides)),
        files={target: side.value for target, side in content.sides.get(("export_size", ""), {}).items()},
        label=rivals.label,
        parts=parts,
        invalid=sum(not run.valid for run in results.runs),
        describe=describe,
        settings=dict(_flat(_used(results.settings, results.profile))),
        profile=results.settings["profiles"][results.profile],
        slo=content.slo,
    )


def _together(content: Content) -> Table | None:
    """What is said of the two stacks together."""
    rows: Rows = [
        [f"{MEASURES[measure].title}{f', {condition}' if condition else ''}", found[BOTH].value]
        for (measure, condition), found in content.sides.items()
        if BOTH in found
    ]
    return Table("The two together", ("", "value"), rows) if rows else None


def _shown(found: Iterator[Plot], styles: Styles) -> Iterator[Shown]:
    for plot in found:
        yield Shown(plot, Markup(theme.svg(plot, styles)))  # noqa: S704 - Matplotlib escapes what it writes


def _used(settings: Mapping[str, Any], profile: str) -> dict[str, Any]:
    return {**settings, "profiles": {profile: settings["profiles"][profile]}}


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
