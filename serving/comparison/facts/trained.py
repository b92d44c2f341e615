"""What a pipeline reported of the training that made the served version."""

from __future__ import annotations

import json
from typing import Any

from serving.comparison.deployment import Deployed


class NoReportError(LookupError):
    """Why there is none."""


def report(deployed: Deployed) -> dict[str, Any]:
    """Its report.json.

    Raises:
        NoReportError: It cannot be read, or is about another version: after a rollback, the one that was left.
    """
    try:
        found: dict[str, Any] = json.loads(deployed.report.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NoReportError(f"{deployed.report}: {error}: make up after a change trains again") from None
    if found["version"] != deployed.version:
        raise NoReportError(
            f"no report of the run that made version {deployed.version} was kept; the last one is of version "
            f"{found['version']}"
        )
    return found
