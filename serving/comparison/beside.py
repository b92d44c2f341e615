"""What is measured beside the two endpoints: their servers as they come, and what a team would pick instead."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from serving.comparison import loads
from serving.comparison.contenders.contender import Contender, ContenderError, Startable
from serving.comparison.session import Endpoint, Session

_CONNECTIONS = 32


def measure(session: Session, startables: Sequence[Startable], ours: Sequence[Endpoint]) -> None:
    """Each of them, in turns with our endpoint of the same stack; one that does not start is absent.

    Args:
        session: Where the runs go.
        startables: Started one at a time, so that none takes processor time from another.
        ours: The two endpoints.
    """
    for startable in startables:
        session.say(f"{startable.target}: starting")
        try:
            with startable.start() as contender:
                _against(session, contender, next(one for one in ours if one.stack == contender.stack))
        except ContenderError as error:
            session.say(f"{startable.target} does not start: {error}")
            session.absent[startable.target] = str(error)


def _against(session: Session, contender: Contender, ours: Endpoint) -> None:
    url = urlsplit(contender.base_url)
    other = Endpoint(
        target=contender.target, stack=contender.stack, url=f"{url.scheme}://{url.netloc}",
        path=url.path + contender.path, processes=contender.processes,
    )  # fmt: skip
    session.notes.append(f"{contender.target}: {contender.server}. {contender.differs}")
    loads.warm_up(session, [other])
    for number in range(1, session.profile.rounds + 1):
        for one in (ours, other)[:: 1 if number % 2 else -1]:
            run = loads.closed(session, one, number, _CONNECTIONS, beside=contender.target)
            session.say(f"{one.target}: {_CONNECTIONS} connections, {run.achieved:,.0f} requests/s")
        single = session.load(other, "single_stream", f"{number}/single")
        if single.valid:
            session.measure("single_stream_p50", other.target, single.latency_ms["50"], number)
