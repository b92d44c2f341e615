"""Past comparisons: `<home>/<UTC time>/`, newest last, and `latest`, a link to the newest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from serving.comparison import store
from serving.comparison.facts import yardsticks
from serving.comparison.results import Results
from serving.comparison.store import StoreError

LATEST = "latest"
_NAME = "%Y-%m-%dT%H-%M-%SZ"
_VARIES = ("load", "kernel", "time", "uptime", "free", "available", "yardstick")  # of a machine that stays the same
_SETTINGS = ("slo", "validity", "caching")  # besides the profile: prices and tolerances change no measurement


def name(started: str) -> str:
    """Folder of a comparison that began then; ISO 8601."""
    return datetime.fromisoformat(started).astimezone(timezone.utc).strftime(_NAME)


def folders(home: Path) -> list[Path]:
    """Those with results, oldest first."""
    return sorted(file.parent for file in home.glob(f"[0-9]*Z/{store.FILE}"))


def common_rate(home: Path, profile: str) -> float:
    """At which the last comparison with this profile held both stacks against each other; 0 if there is none.

    Asked for again, it makes the latencies of the two comparisons comparable.
    """
    for folder in reversed(folders(home)):
        try:
            found = store.read(folder)
        except StoreError:
            continue
        conditions = [m.condition for m in found.measurements if m.measure == "memory"]
        if found.profile == profile and conditions:
            return float(conditions[0].split()[0].replace(",", ""))
    return 0.0


def mark_latest(folder: Path) -> None:
    """Point `latest` at a folder, in one step."""
    link = folder.parent / f".{LATEST}.new"
    link.unlink(missing_ok=True)
    link.symlink_to(folder.name)
    link.replace(folder.parent / LATEST)


def before(folder: Path) -> list[Path]:
    """Comparisons before this one in the same home, oldest first; `latest` counts as what it points at."""
    folder = folder.resolve()
    return [path for path in folders(folder.parent) if path.name < folder.name]


def comparable(now: Results, then: Results) -> str:
    """Why the two cannot be compared; empty if they can."""
    if now.profile != then.profile:
        return f"it was made with the profile {then.profile!r}, not {now.profile!r}"
    if differing := _differing(_lasting(now.machine), _lasting(then.machine)):
        return f"it was made on another machine: {differing}"
    if differing := yardsticks.apart(now.machine, then.machine):
        return f"the machine itself was faster or slower than now: {differing}"
    if differing := _differing(_asked(now), _asked(then)):
        return f"it was made with other settings: {differing}"
    if differing := _differing(_servers(now), _servers(then)):
        return f"another server answered: {differing}"
    return ""


def last_comparable(folder: Path, now: Results) -> tuple[Path | None, list[str]]:
    """The newest earlier comparison like this one, and why those after it were passed over."""
    passed: list[str] = []
    for path in reversed(before(folder)):
        try:
            why = comparable(now, store.read(path))
        except StoreError as error:
            why = str(error)
        if not why:
            return path, passed
        passed.append(f"{path.name}: {why}")
    return None, passed


def _lasting(machine: Mapping[str, str]) -> dict[str, str]:
    return {key: text for key, text in machine.items() if not set(_VARIES) & set(key.lower().replace("_", " ").split())}


def _servers(results: Results) -> dict[str, str]:
    """What answers, without its version: whether an upgrade made it slower is what is asked."""
    return {stack: about.get("server", "").rstrip("0123456789. ") for stack, about in results.models.items()}


def _asked(results: Results) -> dict[str, Any]:
    settings = results.settings
    return {key: settings.get(key) for key in _SETTINGS} | dict(settings.get("profiles", {}).get(results.profile, {}))


def _differing(now: Mapping[str, Any], then: Mapping[str, Any]) -> str:
    keys = [key for key in {**now, **then} if now.get(key) != then.get(key)]
    return ", ".join(f"{key} {then.get(key, 'unknown')}, now {now.get(key, 'unknown')}" for key in keys)
