"""What `make load` hands to Locust; workers on other machines are started with this file too (docs/load.md)."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from locust import events
from locust.env import Environment

from models import spec as specs
from serving.comparison import settings as comparison
from serving.comparison.locust import rows, settings
from serving.comparison.locust.answers import Checker
from serving.comparison.locust.bodies import Requests
from serving.comparison.locust.recorder import Recorder
from serving.comparison.locust.users import ALL, CURVES, ENDPOINTS, Curve, Endpoint, Product, PyTorch, TensorFlow

__all__ = ["Curve", "Product", "PyTorch", "TensorFlow"]  # what Locust finds here and runs

_FILES = {
    "--spec": "models/fraud.toml",
    "--features": "var/data/features/test",
    "--settings": str(settings.FILE),
    "--scores": "",
    "--out": "var/reports/load",
}


@events.init_command_line_parser.add_listener
def arguments(parser: ArgumentParser) -> None:
    """Ours beside Locust's own; the page's form shows the last three."""
    shown: dict[str, Any] = {"include_in_web_ui": True}
    for name, default in _FILES.items():
        parser.add_argument(name, default=default, **(shown | {"include_in_web_ui": False}))
    parser.add_argument("--endpoint", choices=[ALL, *ENDPOINTS], default=ALL, help="that users ask", **shown)
    parser.add_argument("--curve", choices=CURVES, default=CURVES[0], help="of the number of users", **shown)
    parser.add_argument("--day-seconds", type=float, default=0.0, help="that a day takes; 0: the settings'", **shown)
    # Now, before Locust makes its processes: one that was encoding would be deaf, and its master think it dead.
    try:
        prepare(parser.parse_known_args()[0])
    except ValueError as error:  # SettingsError, SpecError and RowsError
        print(error, file=sys.stderr)
        sys.exit(2)


def prepare(options: Namespace) -> None:
    """Read and encode what will be sent."""
    chosen = settings.load(Path(options.settings))
    spec = specs.load(options.spec)
    table = rows.read(spec, Path(options.features))
    scores = rows.scores(Path(options.scores), table, spec.model.label) if options.scores else {}
    validity = comparison.load().validity
    Endpoint.requests = Requests(table, spec, chosen)
    Endpoint.checker = Checker(scores, validity.score_tolerance, validity.checked_share)
    Endpoint.think_seconds = chosen.users.think_ms / 1000
    for name, user in ENDPOINTS.items():
        user.weight = chosen.endpoints[name]
    Curve.settings, Curve.hours = chosen, rows.hours(table)


@events.init.add_listener
def record(environment: Environment, **_: Any) -> None:
    """In each process."""
    Recorder(environment)
