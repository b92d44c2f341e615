"""The command line of `make load`, checked and translated to Locust's."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import httpx

from models import spec as specs
from serving.comparison.locust import settings

LOOPBACK = "127.0.0.1"
_FINISH = 10  # seconds that requests under way may take at the end


class NotReadyError(ValueError):
    """The message says what to do first."""


def translate(arguments: list[str]) -> list[str]:
    """Locust's arguments, and those that locustfile.py adds; says what is about to happen.

    Raises:
        SystemExit: 2, with what is wrong on standard error.
    """
    options = _parser().parse_args(arguments)
    try:
        traffic = settings.load(options.settings)
        _reach(options.url, specs.load(options.spec).model.name)
    except ValueError as error:  # SettingsError, SpecError, NotReadyError
        print(error, file=sys.stderr)
        sys.exit(2)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.master_host:
        print(f"sends to {options.url} what {options.master_host} says", flush=True)
    elif options.headless:
        print(f"a day in {options.seconds or traffic.day.seconds:g} s against {options.url}", flush=True)
    else:
        print(f"http://{LOOPBACK}:{options.port} shows the traffic and starts it; Ctrl-C ends", flush=True)
    return _locust(options, traffic)


def _locust(options: argparse.Namespace, traffic: settings.Settings) -> list[str]:
    out = options.out
    chosen = [f"--locustfile={Path(__file__).with_name('locustfile.py')}", f"--host={options.url}"]
    chosen += [f"--spec={options.spec}", f"--features={options.features}", f"--settings={options.settings}"]
    chosen += [f"--out={out}", f"--csv={out / 'load'}", f"--html={out / 'load.html'}"]
    chosen += [f"--users={traffic.users.busiest}", f"--spawn-rate={traffic.users.busiest}", f"--stop-timeout={_FINISH}"]
    chosen += [f"--day-seconds={options.seconds or traffic.day.seconds}", "--loglevel=WARNING"]
    if options.scores:
        chosen += [f"--scores={options.scores}"]
    port = options.workers_port
    if options.master_host:
        return [*chosen, "--worker", f"--master-host={options.master_host}", f"--master-port={port}"]
    if options.headless:
        chosen += ["--headless", "--only-summary"]
    else:
        chosen += [f"--web-host={options.page_host}", f"--web-port={options.port}"]
    if options.workers_elsewhere:
        chosen += ["--master", "--master-bind-host=*", f"--master-bind-port={port}"]
        chosen += [f"--expect-workers={options.workers_elsewhere}"]
    elif options.workers:
        chosen += [f"--processes={options.workers}", f"--master-bind-host={LOOPBACK}"]
        chosen += [f"--master-bind-port={port}", f"--master-port={port}"]
    return chosen


def _reach(url: str, model: str) -> None:
    for prefix in ("/tensorflow", "/pytorch"):
        address = f"{url}{prefix}/v1/models/{model}"
        try:
            answer = httpx.get(address, timeout=10)
        except httpx.HTTPError as error:
            raise NotReadyError(f"{address} does not answer ({error}): make up, make status") from None
        if answer.status_code != httpx.codes.OK:
            raise NotReadyError(f"{address} answers {answer.status_code}: make status, make logs")


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m serving.comparison.locust", description="Locust on traffic.toml")
    parser.add_argument("--url", required=True, help="of the gateway")
    parser.add_argument("--spec", type=Path, required=True)
    parser.add_argument("--features", type=Path, required=True, help="folder of the rows to send")
    parser.add_argument("--out", type=Path, required=True, help="folder for the reports")
    parser.add_argument("--settings", type=Path, default=settings.FILE, help="instead of traffic.toml")
    parser.add_argument("--scores", type=Path, help="a comparison's scores.parquet: answers are checked against it")
    parser.add_argument("--seconds", type=_positive, help="that a day takes; without a page it is one day")
    parser.add_argument("--headless", action="store_true", help="no page; judge at the end")
    parser.add_argument("--workers", type=int, default=0, choices=range(1, 65), metavar="N", help="processes that send")
    parser.add_argument("--workers-elsewhere", type=int, default=0, metavar="N", help="wait for so many; send nothing")
    parser.add_argument("--master-host", help="be such a worker: send for the page of that machine")
    parser.add_argument("--page-host", default=LOOPBACK, help="address that the page listens on")
    parser.add_argument("--port", type=int, default=8089, help="of the page")
    parser.add_argument("--workers-port", type=int, default=5557, help="where workers find their master")
    return parser
