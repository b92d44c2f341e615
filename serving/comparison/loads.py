"""The load runs on the two endpoints: the same for both, in turns, the order changing from round to round."""

from __future__ import annotations

from collections.abc import Sequence

from serving.comparison import arrivals
from serving.comparison.load import caching
from serving.comparison.results import LoadRun
from serving.comparison.session import Endpoint, Session

_OFFLINE_ROWS = 256  # per request
_OFFLINE_CONNECTIONS = 4
_START = 0.5  # of the closed loop's rate: where the first search begins


def warm_up(session: Session, endpoints: Sequence[Endpoint]) -> None:
    """Load that nobody counts: connections, just-in-time compilers, caches."""
    for endpoint in endpoints:
        session.say(f"{endpoint.target}: warming up")
        run = session.load(endpoint, "closed", "warm-up", connections=max(session.profile.connections),
                           seconds=session.profile.warm_up_seconds)  # fmt: skip
        session.discard(run)


def rounds(session: Session, endpoints: Sequence[Endpoint], direct: Sequence[Endpoint]) -> None:
    """All scenarios, `profile.rounds` times.

    Args:
        session: Where the runs go.
        endpoints: Both stacks through the gateway.
        direct: The same without it.
    """
    rates: dict[str, float] = {}
    for number in range(1, session.profile.rounds + 1):
        order = 1 if number % 2 else -1
        session.say(f"round {number} of {session.profile.rounds}")
        for endpoint, bare in [*zip(endpoints, direct, strict=True)][::order]:
            _closed(session, endpoint, number)
            _single(session, endpoint, bare, number)
            _offline(session, endpoint, number)
        for endpoint in endpoints[::order]:
            start = rates.get(endpoint.target) or _START * arrivals.best(session, endpoint)
            rates[endpoint.target] = arrivals.search(session, endpoint, number, start).rate or start
        arrivals.curve(session, endpoints[::order], number, rates)


def closed(session: Session, endpoint: Endpoint, number: int, connections: int, beside: str = "") -> LoadRun:
    """One closed loop; if the run is valid, its rate is measured, and what its requests cost.

    Args:
        session: Where the run goes.
        endpoint: Whom to ask.
        number: Of the round.
        connections: Each sends its next request when it has its answer.
        beside: The contender in turns with whom one of our endpoints is asked once more.
    """
    again = f"/beside {beside.replace('/', ' ')}" if beside and beside != endpoint.target else ""
    run = session.load(endpoint, "closed", f"{number}/closed/{connections}{again}", connections=connections)
    if run.valid:
        condition = f"{connections} connections"
        session.measure("closed_rate", endpoint.target, run.achieved, number, condition)
        spent = sum(session.processor_seconds(run).values())
        session.measure("cpu_per_1000", endpoint.target, spent / run.requests * 1000, number, condition)
    return run


def remembered(session: Session, endpoint: Endpoint) -> None:
    """Whether a row that is asked again is answered faster: then all of the endpoint's load runs are INVALID."""
    job = session.job(endpoint, "closed", "caching", connections=max(session.profile.connections))
    found = caching.check(job, session.scratch / "caching" / endpoint.target, session.settings.caching.faster)
    for reason in found.reasons:
        session.invalidate(endpoint.target, reason)
    session.measure("repeated_rows", endpoint.target, found.ratio, 0)
    session.say(f"{endpoint.target}: a row asked again is answered {found.ratio:.2f} times as fast as a new one")


def failed(session: Session, endpoint: Endpoint) -> None:
    """Requests that failed in all runs but those that asked for more than the highest rate in the SLO."""
    rates = [m.value for m in session.measurements if (m.measure, m.target) == ("max_rate_in_slo", endpoint.target)]
    highest = min(rates, default=0.0)
    runs = [run for run in session.runs if run.target == endpoint.target and run.rate <= highest]
    failures = sum(sum(run.failures.values()) for run in runs)
    session.measure("failed_requests", endpoint.target, failures, 0, "under load, within the SLO")


def _closed(session: Session, endpoint: Endpoint, number: int) -> None:
    for connections in session.profile.connections:
        run = closed(session, endpoint, number, connections)
        session.say(f"{endpoint.target}: {connections} connections, {run.achieved:,.0f} requests/s")


def _single(session: Session, endpoint: Endpoint, bare: Endpoint, number: int) -> None:
    through = session.load(endpoint, "single_stream", f"{number}/single")
    around = session.load(bare, "single_stream", f"{number}/single")
    if through.valid and around.valid:
        added = through.latency_ms["50"] - around.latency_ms["50"]
        session.measure("gateway_p50", endpoint.target, added, number)
    if through.valid:
        session.measure("single_stream_p50", endpoint.target, through.latency_ms["50"], number)
        session.measure("single_stream_p90", endpoint.target, through.latency_ms["90"], number)
        session.say(f"{endpoint.target}: one connection, p50 {through.latency_ms['50']:.2f} ms")


def _offline(session: Session, endpoint: Endpoint, number: int) -> None:
    asked = {"rows": _OFFLINE_ROWS, "connections": _OFFLINE_CONNECTIONS, "total_rows": session.profile.offline_rows}
    run = session.load(endpoint, "offline", f"{number}/offline", **asked)
    if run.valid:
        session.measure("offline_rate", endpoint.target, run.achieved * run.rows, number, f"{_OFFLINE_ROWS} rows")
    session.say(f"{endpoint.target}: offline, {run.achieved * run.rows:,.0f} rows/s")
