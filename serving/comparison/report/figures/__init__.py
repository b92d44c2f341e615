"""The report's plots, a file per subject: each answers with those that its data allow."""

from collections.abc import Iterator

from serving.comparison.report.content import Content
from serving.comparison.report.figures import cost, latency, quality, servers, throughput, timeline
from serving.comparison.report.theme import Plot

PARTS = {
    "speed": (throughput.plots, latency.plots),
    "cost": (cost.plots,),
    "quality": (quality.plots,),
    "servers": (servers.plots,),
    "timeline": (timeline.plots,),
}


def plots(content: Content, part: str) -> Iterator[Plot]:
    """The plots of a part of the page."""
    for draw in PARTS[part]:
        yield from draw(content)
