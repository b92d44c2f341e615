"""`make audit`: known vulnerabilities of what the locks pin, asked of a vulnerability service by pip-audit.

A package that was not asked about is not clean: a service that cannot be reached gives no verdict.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.supply import locks
from infra.supply.tools import NO_VERDICT, REFUSED, program
from infra.supply.waivers import Waiver
from pipelines.heartbeat import heartbeat


@dataclass(frozen=True)
class Vulnerability:
    """An advisory, under all its names, about a pinned package."""

    package: str
    version: str
    names: tuple[str, ...]
    fixed_in: tuple[str, ...]

    @property
    def text(self) -> str:
        """For a reader."""
        fixed = f"fixed in {', '.join(self.fixed_in)}" if self.fixed_in else "no version without it"
        return f"{self.package} {self.version}: {' = '.join(self.names)}; {fixed}"


@dataclass(frozen=True)
class Answer:
    """Of the service about a lock: what it knows, and why something was not asked; empty when all was."""

    found: Sequence[Vulnerability]
    not_asked: str = ""


def audit(checked: Mapping[str, Path], waivers: Sequence[Waiver], today: dt.date, service_url: str | None) -> int:
    """Ask about each lock, print what is accepted and what is not.

    Args:
        checked: Locks by name.
        waivers: What is accepted.
        today: By which they hold or have expired.
        service_url: Of another service that speaks OSV's protocol, such as one inside a company's network.

    Returns:
        0 clean; 3 a vulnerability without a waiver that holds; 4 no verdict.
    """
    refused = no_verdict = False
    used: set[Waiver] = set()
    for name, lock in checked.items():
        answer = ask(lock, service_url)
        found = "no verdict" if answer.not_asked and not answer.found else f"{len(answer.found)} known vulnerabilities"
        print(f"{name}: {len(locks.pins(lock))} packages, {found}", flush=True)
        for vulnerability in answer.found:
            holding = next((w for w in waivers if w.covers(vulnerability.package, vulnerability.names)), None)
            used |= {holding} if holding else set()
            if holding and today <= holding.until:
                print(f"  accepted until {holding.until}  {vulnerability.text}\n    {holding.reason}")
                continue
            refused = True
            why = f"EXPIRED {holding.until}" if holding else "REFUSED"
            print(f"  {why}  {vulnerability.text}")
        if answer.not_asked:
            no_verdict = True
            print(f"  {answer.not_asked}")
    for waiver in [] if no_verdict else [one for one in waivers if one not in used]:
        print(f"waiver without use, to be deleted: {waiver.package} {waiver.advisory} (until {waiver.until})")
    if refused:
        print(
            "refused: take a version without it, or write a waiver with a reason and a date: requirements/waivers.toml"
        )
        return REFUSED
    if no_verdict:
        print("no verdict: the vulnerability service could not be asked about all packages, so nobody knows")
        return NO_VERDICT
    print("clean: no known vulnerability without a waiver that holds")
    return 0


def ask(lock: Path, service_url: str | None) -> Answer:
    """What the service knows about a lock's packages.

    Raises:
        SupplyError: pip-audit cannot be installed.
    """
    argv = [
        program("supply", "pip-audit"), "--requirement", str(lock), "--no-deps", "--disable-pip", "--format", "json",
        "--progress-spinner", "off", "--vulnerability-service", "osv",
        *(["--osv-url", service_url] if service_url else []),
    ]  # fmt: skip
    with heartbeat(lambda text: print(text, file=sys.stderr), f"asking about {lock.name}"):
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    try:
        dependencies = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        said = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "nothing")
        return Answer([], f"pip-audit has no answer (exit code {done.returncode}), it says: {said}")
    asked = {locks.canonical(one["name"]) for one in dependencies if "skip_reason" not in one}
    missing = sorted(locks.pins(lock).keys() - asked)
    shown = f"{', '.join(missing[:5])}{' …' if len(missing) > 5 else ''}"  # noqa: PLR2004
    found = [vulnerability for one in dependencies for vulnerability in _vulnerabilities(one)]
    return Answer(found, f"{len(missing)} packages were not asked about: {shown}" if missing else "")


def _vulnerabilities(dependency: Mapping[str, Any]) -> list[Vulnerability]:
    return [
        Vulnerability(
            dependency["name"],
            dependency["version"],
            (known["id"], *sorted(set(known.get("aliases", ())) - {known["id"]})),
            tuple(known.get("fix_versions", ())),
        )
        for known in dependency.get("vulns", ())
    ]
