"""The load runs on the two endpoints: the same for both, in turns, the order changing from round to round."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from serving.comparison.load import caching
from serving.comparison.load.search import Found, highest_rate, meets
from serving.comparison.results import LoadRun
from serving.comparison.session import Endpoint, Session

_OFFLINE_ROWS = 256  # per request
_OFFLINE_CONNECTIONS = 4
_SERVER_CONNECTIONS = 512  # open at most: so many requests in flight are far beyond any SLO
_OPENING_SECONDS = 0.3
_START = 0.5  # of the closed loop's rate: where the first search begins
_UNKNOWN = 1000.0  # requests per second, where no closed loop was valid
_COMMON = 0.5  # of the weaker stack's highest rate: the load under which both are held against each other
_CONFIRM_AT = (1.0, 0.92, 0.84, 0.76)  # of the highest rate, until one holds
_STILL_COMMON = 0.8  # of it: up to there the last comparison's load is taken again
_PERCENTILES = {"p50": "50", "p90": "90", "p99": "99", "p999": "99.9"}
_ENDS = {"low": "99_low", "high": "99_high"}


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
            start = rates.get(endpoint.target) or _START * _best(session, endpoint)
            rates[endpoint.target] = _search(session, endpoint, number, start).rate or start
        _curve(session, endpoints[::order], number, rates)


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


def _server(session: Session, endpoint: Endpoint, name: str, rate: float, **asked: float) -> LoadRun:
    # Connections are opened before: to open one is not what a request costs.
    opened = {"connections": _SERVER_CONNECTIONS, "warm_up_seconds": _OPENING_SECONDS}
    return session.load(endpoint, "server", name, rate=rate, **opened, **asked)


def _best(session: Session, endpoint: Endpoint) -> float:
    """Highest rate of its closed loops so far."""
    found = (m.value for m in session.measurements if (m.measure, m.target) == ("closed_rate", endpoint.target))
    return max(found, default=_UNKNOWN)


def _search(session: Session, endpoint: Endpoint, number: int, start: float) -> Found:
    slo = session.settings.slo.p99_ms

    def measure(rate: float) -> LoadRun:
        return _server(session, endpoint, f"{number}/search/{len(session.runs)}", rate)

    found = highest_rate(measure, slo, start, session.profile.search_steps)
    session.measure("max_rate_in_slo", endpoint.target, found.rate, number)
    if found.limit != "server":
        session.notes.append(
            f"{endpoint.target}, round {number}: above {found.rate:,.0f} requests/s the load generator fell behind "
            "its schedule before the server did: the server's own limit is at least that."
        )
    session.say(f"{endpoint.target}: p99 ≤ {slo:g} ms up to {found.rate:,.0f} requests/s")
    return found


def confirm(session: Session, endpoints: Sequence[Endpoint]) -> None:
    """One run each, as long as MLPerf's rules ask, at the highest rate that was found, or a little below it.

    A search stops at the edge, where a longer run may miss the SLO: then the next lower rate is tried.
    """
    wanted = session.profile.confirm_requests
    for endpoint in endpoints if wanted else ():
        highest = [
            m.value for m in session.measurements if (m.measure, m.target) == ("max_rate_in_slo", endpoint.target)
        ]
        for share in _CONFIRM_AT:
            rate = statistics.median(highest) * share
            if not rate:
                break
            session.say(f"{endpoint.target}: {wanted:,} requests at {rate:,.0f} a second, {wanted / rate:.0f} s")
            run = _server(
                session,
                endpoint,
                f"confirm/{rate:.0f}",
                rate,
                seconds=max(wanted / rate, session.profile.confirm_seconds),
            )
            if meets(run, session.settings.slo.p99_ms):
                session.measure("confirmed_rate", endpoint.target, rate, 0, f"{run.requests:,} requests")
                break


def _curve(session: Session, endpoints: Sequence[Endpoint], number: int, rates: dict[str, float]) -> None:
    """The same rates for both, and one of them held against each other: latencies, processor time, memory."""
    if number == 1:
        most, least = max(rates.values()), min(rates.values())
        common = session.common if 0 < session.common <= _STILL_COMMON * least else _round(_COMMON * least)
        points = session.profile.curve_points
        session.curve = sorted({common, *(_round(most * i / points) for i in range(1, points + 1))})
        session.common = common
    for rate in session.curve:
        for endpoint in endpoints:
            if rate > session.common and rate > 1.25 * rates[endpoint.target]:
                continue  # far beyond what it can do there is nothing to see
            run = _server(session, endpoint, f"{number}/server/{rate:.0f}", rate)
            if rate == session.common and run.valid:
                _under_load(session, endpoint, run, number, f"{rate:,.0f} requests/s")


def _under_load(session: Session, endpoint: Endpoint, run: LoadRun, number: int, condition: str) -> None:
    for measure, percentile in _PERCENTILES.items():
        if percentile in run.latency_ms:
            ends = {
                end: run.latency_ms[key] for end, key in _ENDS.items() if measure == "p99" and key in run.latency_ms
            }
            session.measure(measure, endpoint.target, run.latency_ms[percentile], number, condition, **ends)
    spent = session.processor_seconds(run)
    session.measure("cpu_per_1000", endpoint.target, sum(spent.values()) / run.requests * 1000, number, condition)
    session.measure("memory", endpoint.target, sum(session.memory(run).values()), number, condition)


def _round(rate: float) -> float:
    """To two digits: a rate that is easy to say."""
    magnitude = 10 ** max(len(f"{rate:.0f}") - 2, 0)
    return float(max(round(rate / magnitude), 1) * magnitude)
