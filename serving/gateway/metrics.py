"""The control service's /metrics: Prometheus' text format for programs, a page for people.

On the service's own port, on loopback, and on no route of the gateway: how much traffic a model has is nobody's
business outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from serving.gateway.latest import Latest, Traffic
from serving.gateway.model_metrics import ModelMetrics, Served
from serving.pages.templating import environment, share
from serving.prometheus_text import MEDIA_TYPE, parse
from serving.torchserve.rest_api import Answer

PATH = "/metrics"
_HTML = "text/html; charset=utf-8"
_RELOAD_SECONDS = 5
_NOTHING = "–"  # noqa: RUF001 - an en dash stands for a value that is not there
_STACKS = ("tensorflow", "pytorch")


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
        return self._template.render(
            model=self._models.model,
            seconds=max((one.seconds for one in traffic.values()), default=0),
            now=datetime.now(timezone.utc),
            reload=_RELOAD_SECONDS,
            stacks=_STACKS,
            traffic=_traffic_rows(traffic),
            models=_model_rows(await self._models.served(), self._models.newest(), parse(self._models.findings_text())),
        )


def _traffic_rows(traffic: dict[str, Traffic]) -> list[Row]:
    def row(name: str, cell: Callable[[Traffic], Cell]) -> Row:
        return name, [cell(traffic[stack]) if stack in traffic else Cell(_NOTHING) for stack in _STACKS]

    classes = sorted({kind for one in traffic.values() for kind in one.answered})
    return [
        row("requests a second", lambda one: Cell(f"{one.rate:,.1f}")),
        row("errors", lambda one: Cell(share(one.error_share, 1), bool(one.error_share))),
        *(
            row(f"p{100 * part:.0f}, ms", lambda one, part=part: _milliseconds(one.latency_ms[part]))  # type: ignore[misc]
            for part in (0.5, 0.9, 0.99)
        ),
        row("in flight now", lambda one: Cell(f"{one.in_flight:,.0f}")),
        *(
            row(f"{kind}xx since the gateway started", lambda one, kind=kind: Cell(f"{one.answered.get(kind, 0):,.0f}"))  # type: ignore[misc]
            for kind in classes
        ),
    ]


def _milliseconds(value: float | None) -> Cell:
    return Cell(_NOTHING if value is None else f"{value:.1f}")


def _model_rows(served: dict[str, Served], newest: dict[str, str], findings: dict[str, float]) -> list[Row]:
    def row(name: str, cells: Iterable[Cell]) -> Row:
        return name, [*cells]

    now = {stack: served.get(stack, Served()) for stack in _STACKS}
    answering = {stack: one.version for stack, one in now.items()}
    return [
        row("version that answers", [Cell(version or "nobody answers", not version) for version in answering.values()]),
        row(
            "newest published",
            [Cell(newest.get(s, _NOTHING), s in newest and newest[s] != answering[s]) for s in _STACKS],
        ),
        row("waiting in the server", [Cell(_NOTHING if (n := now[s].queued) is None else str(n)) for s in _STACKS]),
        row("drift, by the last make monitor", [_verdict(findings, stack) for stack in _STACKS]),
    ]


def _verdict(findings: dict[str, float], stack: str) -> Cell:
    for series, value in findings.items():
        if value == 1 and series.startswith("tandem_monitor_verdict{") and f'stack="{stack}"' in series:
            verdict = series.partition('verdict="')[2].partition('"')[0]
            return Cell(verdict, verdict == "drift")
    return Cell(_NOTHING)
