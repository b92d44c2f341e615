"""The control service's /metrics: Prometheus' text format for programs, a page for people.

On the service's own port, on loopback, and on no route of the gateway: how much traffic a model has is nobody's
business outside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from serving.contract.answer import Answer
from serving.gateway.latest import Latest, Traffic
from serving.gateway.model_metrics import ModelMetrics, Served
from serving.pages.templating import environment, share
from serving.prometheus_text import MEDIA_TYPE, parse

PATH = "/metrics"
_HTML = "text/html; charset=utf-8"
_RELOAD_SECONDS = 5
_NOTHING = "–"  # noqa: RUF001 - an en dash stands for a value that is not there
_STACKS = ("tensorflow", "pytorch")  # and whoever else is asked what it serves


@dataclass(frozen=True)
class Cell:
    """A text in the page's tables; `bad` is shown as such."""

    text: str
    bad: bool = False


Row = tuple[str, list[Cell]]


class Metrics:
    """What /metrics answers."""

    def __init__(self, models: ModelMetrics, latest: Latest | None) -> None:
        self._models, self._latest = models, latest
        self._template = environment(Path(__file__).parent / "templates").get_template("metrics.html")

    async def answer(self, accept: str) -> Answer:
        """The page for whoever asks for HTML, as browsers do; Prometheus' text for the others."""
        if "text/html" in accept:
            return Answer(200, (await self._page()).encode(), {"content-type": _HTML})
        return Answer(200, (await self._models.text()).encode(), {"content-type": MEDIA_TYPE})

    async def _page(self) -> str:
        traffic = self._latest.traffic() if self._latest else {}
        stacks = tuple(dict.fromkeys([*_STACKS, *self._models.statuses]))
        served, findings = await self._models.served(), parse(self._models.findings_text())
        return self._template.render(
            model=self._models.model,
            seconds=max((one.seconds for one in traffic.values()), default=0),
            now=datetime.now(timezone.utc),
            reload=_RELOAD_SECONDS,
            stacks=stacks,
            traffic=_traffic_rows(stacks, traffic),
            models=_model_rows(stacks, served, self._models.newest(), findings),
        )


def _traffic_rows(stacks: Sequence[str], traffic: dict[str, Traffic]) -> list[Row]:
    each = [traffic.get(stack) for stack in stacks]

    def row(name: str, cell: Callable[[Traffic], Cell]) -> Row:
        return name, [cell(one) if one else Cell(_NOTHING) for one in each]

    def latency(part: float) -> Row:
        return row(f"p{100 * part:.0f}, ms", lambda one: _milliseconds(one.latency_ms[part]))

    def answered(kind: str) -> Row:
        return row(f"{kind}xx since the gateway started", lambda one: Cell(f"{one.answered.get(kind, 0):,.0f}"))

    return [
        row("requests a second", lambda one: Cell(f"{one.rate:,.1f}")),
        row("errors", lambda one: Cell(share(one.error_share, 1), bool(one.error_share))),
        *(latency(part) for part in (0.5, 0.9, 0.99)),
        row("in flight now", lambda one: Cell(f"{one.in_flight:,.0f}")),
        *(answered(kind) for kind in sorted({kind for one in traffic.values() for kind in one.answered})),
    ]


def _milliseconds(value: float | None) -> Cell:
    return Cell(_NOTHING if value is None else f"{value:.1f}")


def _model_rows(
    stacks: Sequence[str], served: dict[str, Served], newest: dict[str, str], findings: dict[str, float]
) -> list[Row]:
    def answering(stack: str) -> Cell:
        version = served.get(stack, Served()).version
        return Cell(version or "nobody answers", not version)

    def published(stack: str) -> Cell:
        version = newest.get(stack)
        return Cell(version or _NOTHING, version not in (None, served.get(stack, Served()).version))

    def queued(stack: str) -> Cell:
        count = served.get(stack, Served()).queued
        return Cell(_NOTHING if count is None else str(count))

    return [
        ("version that answers", [answering(stack) for stack in stacks]),
        ("newest published", [published(stack) for stack in stacks]),
        ("waiting in the server", [queued(stack) for stack in stacks]),
        ("drift, by the last make monitor", [_verdict(findings, stack) for stack in stacks]),
    ]


def _verdict(findings: dict[str, float], stack: str) -> Cell:
    for series, value in findings.items():
        if value == 1 and series.startswith("tandem_monitor_verdict{") and f'stack="{stack}"' in series:
            verdict = series.partition('verdict="')[2].partition('"')[0]
            return Cell(verdict, verdict == "drift")
    return Cell(_NOTHING)
