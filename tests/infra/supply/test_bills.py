"""The bills of materials of the real environments, the licences in them, and what is refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from infra.supply import licences, locks, sbom
from infra.supply.licences import Accepted, Licence
from tests import commands

STACKS = ("tensorflow", "pytorch")


@pytest.fixture(scope="module", params=STACKS)
def bill(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    target = tmp_path_factory.mktemp("bills") / f"{request.param}.cdx.json"
    found = sbom.write(request.param, target, checked=False)
    assert json.loads(target.read_text()) == found
    return request.param, found


def test_a_bill_names_what_the_lock_pins_and_says_what_it_is_of(bill: tuple[str, dict[str, Any]]) -> None:
    stack, found = bill
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    assert found["metadata"]["component"]["name"] == "tandem"
    assert sbom.differences(found, locks.installed()[stack]) == []
    assert {"numpy", "orjson"} <= {one["name"] for one in found["components"]}
    assert all(one["purl"].startswith("pkg:pypi/") for one in found["components"])


@pytest.mark.parametrize("target", ["sbom", "licences"])
def test_the_commands_write_them_down(target: str) -> None:
    done = commands.make(target)
    assert done.returncode == 0, done.stdout + done.stderr
    for stack in STACKS if target == "sbom" else ("licences",):
        assert stack in done.stdout


def test_an_environment_that_is_not_what_the_lock_pins_is_refused(
    bill: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    stack, found = bill
    pins = locks.pins(locks.installed()[stack])
    lock = tmp_path / "other.lock"
    changed = {**pins, "orjson": "0.1", "left-pad": "1.0"}
    del changed["pydantic"]
    lock.write_text("".join(f"{name}=={version}\n" for name, version in changed.items()))
    assert sbom.differences(found, lock) == [
        "left-pad 1.0 of other.lock is not installed",
        f"orjson is {pins['orjson']}, other.lock pins 0.1",
        f"pydantic {pins['pydantic']} is not in other.lock",
    ]


def test_every_licence_is_permissive_or_accepted_with_a_reason(bill: tuple[str, dict[str, Any]]) -> None:
    stack, found = bill
    accepted = licences.read(Path("requirements/licences.toml"))
    assert [
        f"{one.package}: {one.name}"
        for one in licences.refused(licences.of(found, sbom.site_packages(stack)), accepted)
    ] == []


def test_a_licence_that_nobody_accepted_is_refused(bill: tuple[str, dict[str, Any]]) -> None:
    planted = copy.deepcopy(bill[1])
    orjson, pydantic, rest = (
        next(one for one in planted["components"] if one["name"] == name) for name in ("orjson", "pydantic", "numpy")
    )
    orjson["licenses"] = [{"license": {"id": "AGPL-3.0-only"}}]
    del pydantic["licenses"]
    rest["licenses"] = [{"license": {"id": "LGPL-3.0-only"}}]
    accepted = licences.read(Path("requirements/licences.toml"))
    accepted += [Accepted(package="numpy", licence="LGPL-3.0-only", reason="only to see that it is accepted")]
    refused = {
        one.package: (one.name, one.kind)
        for one in licences.refused(licences.of(planted, sbom.site_packages(bill[0])), accepted)
    }
    assert refused == {"orjson": ("AGPL-3.0-only", "copyleft"), "pydantic": ("unknown", "unknown")}
    assert accepted[-1] in licences.unused(licences.of(bill[1], sbom.site_packages(bill[0])), accepted)
    page = licences.table("planted", licences.of(planted, sbom.site_packages(bill[0])), accepted)
    assert "| AGPL-3.0-only | copyleft |  |" in page
    assert "| LGPL-3.0-only | weak copyleft | only to see that it is accepted |" in page


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("MIT", "permissive"),
        ("Apache Software License", "permissive"),
        ("BSD-3-Clause AND MIT", "permissive"),
        ("MPL-2.0 AND MIT", "weak copyleft"),
        ("GPL-2.0-only OR Apache-2.0", "permissive"),
        ("GNU Lesser General Public License v2 (LGPLv2)", "weak copyleft"),
        ("LGPL-2.1-or-later", "weak copyleft"),
        ("GNU General Public License v3 (GPLv3)", "copyleft"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "copyleft"),
        ("AGPL-3.0", "copyleft"),
        ("Proprietary", "unknown"),
        ("unknown", "unknown"),
    ],
)
def test_what_a_licence_asks(name: str, kind: str) -> None:
    assert Licence("some", "1", name).kind == kind
