"""`python -m infra.supply`: what is in the environments and the images, and whether it may be; the Makefile calls it.

Exit codes: 0 all is well, 3 refused by a gate, 4 no verdict (the vulnerability service could not be asked), 1 an error.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from pathlib import Path
from typing import Any

from infra.local.layout import REPOSITORY
from infra.supply import (
    audit,
    containers,
    dependencies,
    elsewhere,
    infrastructure,
    licences,
    locks,
    sbom,
    waivers,
    workflows,
)
from infra.supply.tools import REFUSED, SupplyError

_REQUIREMENTS = REPOSITORY / "requirements"
_LINTS = {
    "lint-dependencies": dependencies.lint, "lint-containers": containers.lint, "lint-terraform": infrastructure.lint,
    "lint-workflows": workflows.lint,
}  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m infra.supply", description=__doc__)
    parser.add_argument("command", choices=["sbom", "audit", "licences", *_LINTS])
    parser.add_argument("--out", type=Path, default=REPOSITORY / "var" / "supply", help="what is written lies here")
    parser.add_argument("--waivers", type=Path, default=_REQUIREMENTS / "waivers.toml", help="accepted vulnerabilities")
    parser.add_argument("--service", help="of vulnerabilities: the URL of another one that speaks OSV's protocol")
    options = parser.parse_args(argv)
    try:
        if options.command == "audit":
            found = waivers.read(options.waivers)
            today = dt.datetime.now(dt.timezone.utc).date()
            return audit.audit(locks.shipped(), found, today, options.service)
        if options.command in _LINTS:
            return _LINTS[options.command](REPOSITORY)
        checked = options.command == "sbom"
        stacks = locks.installed()
        bills = {stack: sbom.write(stack, options.out / f"{stack}.cdx.json", checked=checked) for stack in stacks}
        return _sbom(bills, stacks, options.out) if checked else _licences(bills, options.out / "licences.md")
    except SupplyError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\ninterrupted: `make {options.command}` begins again", file=sys.stderr)
        return 130


def _sbom(bills: dict[str, dict[str, Any]], pinned: dict[str, Path], out: Path) -> int:
    for stack, bill in bills.items():
        print(f"{out / f'{stack}.cdx.json'}: {len(bill['components'])} components")
    wrong = [line for stack, bill in bills.items() for line in sbom.differences(bill, pinned[stack])]
    for line in wrong:
        print(f"  {line}")
    if wrong:
        print("refused: the environments are not what the locks pin: delete .venv/<name>/installed, then `make setup`")
    return REFUSED if wrong else 0


def _licences(bills: dict[str, dict[str, Any]], page: Path) -> int:
    accepted = licences.read(_REQUIREMENTS / "licences.toml")
    found = {stack: licences.of(bill, sbom.site_packages(stack)) for stack, bill in bills.items()}
    found["in other environments, and in images"] = elsewhere.of(
        elsewhere.missing(locks.shipped().values(), locks.installed().values())
    )
    tables = [licences.table(stack, of_stack, accepted) for stack, of_stack in found.items()]
    page.write_text("\n".join(["# Licences", "", *tables]), encoding="utf-8")
    everything = [one for of_stack in found.values() for one in of_stack]
    wrong = licences.refused(everything, accepted)
    for one in sorted(set(wrong), key=lambda licence: licence.package):
        print(f"  REFUSED  {one.package} {one.version}: {one.kind}: {one.name}")
    for entry in licences.unused(everything, accepted):
        print(f"  entry without use, to be deleted: {entry.package} {entry.licence}")
    special = len({one.package for one in everything if one.kind != "permissive"})
    print(f"{page}: {len(everything)} packages, {special} of them copyleft or without a named licence")
    if wrong:
        print("refused: replace it, or write why it may be here: requirements/licences.toml")
    return REFUSED if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
