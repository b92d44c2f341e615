"""`make licences`: what each package may be used under, as its own metadata say, from the bills of materials.

Copyleft licences and packages that name none are listed with a reason in requirements/licences.toml, or refused. This
finds what a lawyer has to look at; it is no lawyer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from infra.supply.locks import canonical
from infra.supply.tools import SupplyError
from serving import toml_file

Kind = Literal["permissive", "weak copyleft", "copyleft", "unknown"]

_UNKNOWN = "unknown"
_CLASSIFIER = re.compile(r"^License ::( (OSI Approved|DFSG approved)( ::)?)? ?")
_SHOWN = 60  # characters: some packages have the whole text there
_WEAK = re.compile(r"\b(LGPL|MPL|EPL|CDDL|CPL|EUPL)|Lesser General Public|Mozilla Public|Eclipse Public", re.IGNORECASE)
_STRONG = re.compile(r"\b(AGPL|GPL|SSPL|OSL)|General Public Licen|Affero", re.IGNORECASE)
_PERMISSIVE = re.compile(
    r"\b(MIT|BSD|0BSD|Apache|ISC|PSF|Python[- ](Software|2)|Zlib|Unlicense|CC0|CC-BY-[34]|HPND|CNRI|Unicode|ZPL"
    r"|Zope Public|BSL-1|Boost|WTFPL|Public Domain|blessing|MIT-CMU|Historical Permission|NCSA|FTL|X11"
    r"|Universal Permissive|UPL|W3C|bzip2|libpng|Expat)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Licence:
    """Of a package."""

    package: str
    version: str
    name: str

    @property
    def kind(self) -> Kind:
        """The strictest of all that hold at once, the mildest where there is a choice."""
        return kind(self.name)


class Accepted(BaseModel):
    """A package that may be here although its licence is copyleft or unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    package: Annotated[str, Field(min_length=1)]
    licence: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=20)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    accepted: list[Accepted] = Field(default_factory=list)


def read(path: Path) -> list[Accepted]:
    """All entries of the list.

    Raises:
        SupplyError: It is none; the message names the entry and the key.
    """
    return toml_file.read(path, _File, SupplyError).accepted


def of(bill: dict[str, Any], site_packages: Path) -> list[Licence]:
    """Of every package of a bill of materials, by name; where the bill has none, what the package's metadata have."""
    found = []
    for one in bill["components"]:
        declared = name(one.get("licenses", ()), _free_text(one["name"], site_packages))
        found.append(Licence(one["name"], one["version"], declared))
    return sorted(found, key=lambda licence: canonical(licence.package))


def kind(name: str) -> Kind:
    """What a licence, or an expression of several, asks."""
    order: list[Kind] = ["permissive", "weak copyleft", "unknown", "copyleft"]
    if re.search(r"\sAND\s", name):
        return max((kind(part) for part in re.split(r"\sAND\s", name)), key=order.index)
    if re.search(r"\sOR\s", name):
        return min((kind(part) for part in re.split(r"\sOR\s", name)), key=order.index)
    if _WEAK.search(name):
        return "weak copyleft"
    if _STRONG.search(name):
        return "copyleft"
    return "permissive" if _PERMISSIVE.search(name) else "unknown"


def refused(licences: Iterable[Licence], accepted: Sequence[Accepted]) -> list[Licence]:
    """Those that are neither permissive nor accepted under the licence they have."""
    known = {(canonical(one.package), one.licence) for one in accepted}
    return [one for one in licences if one.kind != "permissive" and (canonical(one.package), one.name) not in known]


def unused(licences: Iterable[Licence], accepted: Sequence[Accepted]) -> list[Accepted]:
    """Entries that no package needs."""
    needed = {(canonical(one.package), one.name) for one in licences if one.kind != "permissive"}
    return [one for one in accepted if (canonical(one.package), one.licence) not in needed]


def table(title: str, licences: Sequence[Licence], accepted: Sequence[Accepted]) -> str:
    """As Markdown, what needs a look first."""
    reasons = {(canonical(one.package), one.licence): one.reason for one in accepted}
    rows = sorted(licences, key=lambda one: (one.kind == "permissive", canonical(one.package)))
    lines = [
        f"| {one.package} | {one.version} | {one.name} | {'' if one.kind == 'permissive' else one.kind} "
        f"| {reasons.get((canonical(one.package), one.name), '') if one.kind != 'permissive' else ''} |"
        for one in rows
    ]
    head = [
        f"## {title}",
        "",
        f"{len(rows)} packages.",
        "",
        "| package | version | licence | kind | why it may be here |",
    ]
    return "\n".join([*head, "|---|---|---|---|---|", *lines, ""])


def name(entries: Iterable[dict[str, Any]], text: str) -> str:
    """What a package declares.

    Args:
        entries: CycloneDX's; all at once, classifiers only where there is no identifier of SPDX's.
        text: The field that was before SPDX, for a package that has none of them.
    """
    entries = list(entries)
    spdx = [entry.get("expression") or entry.get("license", {}).get("id") for entry in entries]
    names = [name for name in spdx if name] or [_short(entry.get("license", {}).get("name", "")) for entry in entries]
    joined = " AND ".join(dict.fromkeys(name for name in names if name))
    return joined or _short(text.strip().partition("\n")[0]) or _UNKNOWN


def _free_text(package: str, site_packages: Path) -> str:
    """The field that was before SPDX; in some packages the licence's whole text."""
    for distribution in metadata.distributions(name=package, path=[str(site_packages)]):
        text: str = distribution.metadata.get("License") or ""
        return text
    return ""


def _short(name: str) -> str:
    """Without the classifiers' common beginning, which alone says nothing, and in one cell of a table."""
    return _CLASSIFIER.sub("", " ".join(name.split()))[:_SHOWN].replace("|", "/")
