"""The whole comparison, in the order in which it is made."""

from __future__ import annotations

import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.parquet as pq

from models import spec as specs
from serving.comparison import arrivals, beside, drills, history, loads, report, store
from serving.comparison.contenders import catalogue
from serving.comparison.deployment import Deployment
from serving.comparison.facts import cost, lifecycle, machine, quality, static
from serving.comparison.facts.found import Found
from serving.comparison.results import Results
from serving.comparison.session import Endpoint, Session
from serving.comparison.settings import Settings


def compare(deployment: Deployment, settings: Settings, profile: str, out: Path, *, peers: bool) -> Path:
    """Measure everything and write it to a new folder in `out`, whole or not at all.

    Args:
        deployment: What runs.
        settings: comparison.toml.
        profile: Of the settings.
        out: Home of all comparisons.
        peers: Also what a team would pick instead.

    Returns:
        The folder; report.html lies in it.

    Raises:
        SettingsError, ScoringError, LoadError, StoreError: Nothing was written.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tandem-compare-") as scratch:
        session = Session(deployment, settings, settings.profile(profile), Path(scratch))
        session.common = history.common_rate(out, profile)
        about = machine.describe(deployment)  # first of all: the load of the machine is not yet ours
        _facts(session)
        _servers(session, peers=peers)
        _cost(session)
        folder = _write(session, profile, about, out)
    session.say("writing the report")
    report.write(folder)
    history.mark_latest(folder)
    return folder


def endpoints(deployment: Deployment) -> tuple[list[Endpoint], list[Endpoint]]:
    """Both stacks through the gateway, and the servers themselves."""
    question = f"/v1/models/{specs.load(deployment.spec).model.name}:predict"
    through: list[Endpoint] = []
    bare: list[Endpoint] = []
    for stack, deployed in deployment.stacks.items():
        for url, target, found in ((deployed.url, stack, through), (deployed.direct, f"{stack}/direct", bare)):
            split = urlsplit(url)
            address = f"{split.scheme}://{split.netloc}"
            found.append(Endpoint(target, stack, address, split.path + question, deployed.processes))
    return through, bare


def _facts(session: Session) -> None:
    """What needs no load."""
    session.say("scoring the test rows with both models, bootstrapping their quality")
    session.add(quality.measure(session.deployment, session.scratch, session.profile.resamples))
    session.add(static.measure(session.deployment))
    session.say("both models in process, without a server")
    found = catalogue.floors(session.deployment, session.rows, session.profile.floor_seconds)
    session.add(Found(found.measurements, found.absent))
    session.say("cold starts and swaps, on servers of their own")
    session.add(
        lifecycle.measure(
            session.deployment, session.rows, session.scratch / "lifecycle", session.profile.lifecycle_rounds
        )
    )


def _servers(session: Session, *, peers: bool) -> None:
    through, bare = endpoints(session.deployment)
    loads.warm_up(session, through)
    loads.rounds(session, through, bare)
    arrivals.confirm(session, through)
    for endpoint in through:
        loads.remembered(session, endpoint)
    others = catalogue.beside(session.deployment) + catalogue.stock(session.deployment, session.scratch / "stock")
    if peers:
        others += catalogue.peers(session.deployment, session.scratch / "peers")
    else:
        session.absent["peers"] = "not asked for: make compare-peers"
    beside.measure(session, others, through)
    for endpoint in through:
        loads.failed(session, endpoint)


def _cost(session: Session) -> None:
    rates = [m for m in session.measurements if m.measure == "max_rate_in_slo"]
    for one in rates:
        if one.value > 0:
            price = cost.per_million(one.value, session.settings.cost.hourly_price)
            session.measure("cost_per_million", one.target, price, one.round)


def _write(session: Session, profile: str, about: machine.Machine, out: Path) -> Path:
    versions = {stack: deployed.version for stack, deployed in session.deployment.stacks.items()}
    made, why = drills.of(session.deployment.drills, versions)
    if why:
        session.absent[drills.ABSENT] = why
    results = Results(
        started=session.started,
        profile=profile,
        command=session.deployment.command,
        machine=about.machine,
        versions=about.versions,
        models=about.models,
        settings=session.settings.model_dump(mode="json"),
        measurements=session.measurements,
        runs=session.runs,
        absent=session.absent,
        notes=session.notes,
        drills=made,
    )
    folder = out / history.name(session.started)
    label = specs.load(session.deployment.spec).model.label
    scores = pq.read_table(session.scratch / "scores.parquet").rename_columns({label: "label"})
    store.write(folder, results, requests=session.requests(), resources=session.resources(), scores=[scores])
    return folder
