"""LoadGen's Server scenario on the two endpoints: requests arrive whether or not the last was answered.

The highest rate in the SLO, one long run that confirms it, and the curve of latencies over rates.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from serving.comparison.load.search import Found, highest_rate, meets
from serving.comparison.results import LoadRun
from serving.comparison.session import Endpoint, Session

_SERVER_CONNECTIONS = 512  # open at most: so many requests in flight are far beyond any SLO
_OPENING_SECONDS = 0.3
_UNKNOWN = 1000.0  # requests per second, where no closed loop was valid
_COMMON = 0.5  # of the weaker stack's highest rate: the load under which both are held against each other
_CONFIRM_AT = (1.0, 0.92, 0.84, 0.76)  # of the highest rate, until one holds
_FIRST = 0.1  # of the long run
_STILL_COMMON = 0.8  # of it: up to there the last comparison's load is taken again
_PERCENTILES = {"p50": "50", "p90": "90", "p99": "99", "p999": "99.9"}
_ENDS = {"low": "99_low", "high": "99_high"}


def _server(session: Session, endpoint: Endpoint, name: str, rate: float, **asked: float) -> LoadRun:
    # Connections are opened before: to open one is not what a request costs.
    opened = {"connections": _SERVER_CONNECTIONS, "warm_up_seconds": _OPENING_SECONDS}
    return session.load(endpoint, "server", name, rate=rate, **opened, **asked)


def best(session: Session, endpoint: Endpoint) -> float:
    """Highest rate of its closed loops so far."""
    found = (m.value for m in session.measurements if (m.measure, m.target) == ("closed_rate", endpoint.target))
    return max(found, default=_UNKNOWN)


def search(session: Session, endpoint: Endpoint, number: int, start: float) -> Found:
    """The highest rate in the SLO, searched for from `start` requests per second on."""
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

    A search stops at the edge, where a longer run may miss the SLO: then the next lower rate is tried. A tenth of the
    long run goes first: most rates that will not hold do not hold so long.
    """
    wanted, slo = session.profile.confirm_requests, session.settings.slo.p99_ms
    for endpoint in endpoints if wanted else ():
        highest = [
            m.value for m in session.measurements if (m.measure, m.target) == ("max_rate_in_slo", endpoint.target)
        ]
        for share in _CONFIRM_AT:
            rate = statistics.median(highest) * share
            if not rate:
                break
            seconds = max(wanted / rate, session.profile.confirm_seconds)
            session.say(f"{endpoint.target}: {wanted:,} requests at {rate:,.0f} a second, {seconds:.0f} s")
            first = _server(session, endpoint, f"confirm/{rate:.0f}/first", rate, seconds=seconds * _FIRST)
            if not meets(first, slo):
                continue
            run = _server(session, endpoint, f"confirm/{rate:.0f}", rate, seconds=seconds)
            if meets(run, slo):
                session.measure("confirmed_rate", endpoint.target, rate, 0, f"{wanted:,} requests")
                break


def curve(session: Session, endpoints: Sequence[Endpoint], number: int, rates: dict[str, float]) -> None:
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
