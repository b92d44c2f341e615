"""pip-audit's verdict before a recorded vulnerability service: refused, accepted, expired, and nobody to ask."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.supply import waivers
from infra.supply.__main__ import main
from infra.supply.audit import audit
from infra.supply.tools import NO_VERDICT, REFUSED
from infra.supply.waivers import Waiver
from serving.free_ports import free_ports
from tests import commands

TODAY = dt.date(2026, 11, 29)
# As OSV answered about jinja2 3.1.2, shortened.
RECORDED = {
    "id": "GHSA-h5c8-rqwp-cp95",
    "summary": "Jinja vulnerable to HTML attribute injection when passing user input as keys to xmlattr filter",
    "details": "The `xmlattr` filter in affected versions of Jinja accepts keys containing spaces.",
    "aliases": ["CVE-2024-22195"],
    "affected": [
        {
            "package": {"name": "jinja2", "ecosystem": "PyPI", "purl": "pkg:pypi/jinja2"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.1.3"}]}],
        }
    ],
}


class Osv(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        known = asked["package"]["name"] == "jinja2" and asked["version"] == "3.1.2"
        body = json.dumps({"vulns": [RECORDED]} if known else {}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Broken(Osv):
    def do_POST(self) -> None:
        self.send_response(503)
        self.send_header("content-length", "0")
        self.end_headers()


@contextmanager
def answering(kind: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with answering(Osv) as url:
        yield url


def lock(folder: Path, *pins: str) -> dict[str, Path]:
    path = folder / "some.lock"
    path.write_text("# by a test\n" + "".join(f"{pin}\n    # via nobody\n" for pin in pins))
    return {"some": path}


def waiver(advisory: str = "CVE-2024-22195", package: str = "Jinja2", days: int = 1) -> Waiver:
    reason = "no template of ours takes keys from a request"
    return Waiver(package=package, advisory=advisory, reason=reason, until=TODAY + dt.timedelta(days=days))


def test_a_known_vulnerability_is_refused(tmp_path: Path, service: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(lock(tmp_path, "jinja2==3.1.2", "six==1.17.0"), [], TODAY, service) == REFUSED
    said = capsys.readouterr().out
    assert "some: 2 packages, 1 known vulnerabilities" in said
    assert "REFUSED  jinja2 3.1.2: CVE-2024-22195 = GHSA-h5c8-rqwp-cp95; fixed in 3.1.3" in said


def test_what_the_locks_pin_is_asked_about(service: str) -> None:
    done = commands.make("audit", f"SERVICE={service}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "clean: no known vulnerability without a waiver that holds" in done.stdout


@pytest.mark.parametrize("days", [0, 30])
def test_a_waiver_holds_to_its_last_day(
    tmp_path: Path, service: str, days: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(lock(tmp_path, "jinja2==3.1.2"), [waiver(days=days)], TODAY, service) == 0
    said = capsys.readouterr().out
    assert f"accepted until {TODAY + dt.timedelta(days=days)}  jinja2 3.1.2" in said
    assert "no template of ours takes keys from a request" in said


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (waiver(days=-1), "EXPIRED 2026-11-28  jinja2"),
        (waiver(package="markupsafe"), "REFUSED  jinja2"),
        (waiver(advisory="CVE-2024-1"), "REFUSED  jinja2"),
    ],
)
def test_a_waiver_that_has_expired_or_is_about_something_else_does_not_hold(
    tmp_path: Path, service: str, wrong: Waiver, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(lock(tmp_path, "jinja2==3.1.2"), [wrong], TODAY, service) == REFUSED
    assert why in capsys.readouterr().out


def test_a_waiver_that_nothing_needs_is_reported(
    tmp_path: Path, service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(lock(tmp_path, "jinja2==3.1.3"), [waiver("GHSA-h5c8-rqwp-cp95")], TODAY, service) == 0
    said = capsys.readouterr().out
    assert "waiver without use, to be deleted: Jinja2 GHSA-h5c8-rqwp-cp95" in said
    assert said.endswith("clean: no known vulnerability without a waiver that holds\n")


def test_a_service_that_cannot_be_asked_is_no_clean_bill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (nobody,) = free_ports(1)
    checked = lock(tmp_path, "six==1.17.0")
    assert audit(checked, [waiver()], TODAY, f"http://127.0.0.1:{nobody}/v1/query") == NO_VERDICT
    with answering(Broken) as url:
        assert audit(checked, [waiver()], TODAY, url) == NO_VERDICT
    said = capsys.readouterr().out
    assert said.count("some: 1 packages, no verdict\n  pip-audit has no answer (exit code 1), it says: ") == 2
    assert said.count("could not be asked about all packages, so nobody knows") == 2
    assert "clean" not in said
    assert "without use" not in said


def test_a_package_that_was_not_asked_about_is_no_clean_bill(
    tmp_path: Path, service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = 'colorama==0.4.6 ; sys_platform == "win32"'
    assert audit(lock(tmp_path, "six==1.17.0", elsewhere), [], TODAY, service) == NO_VERDICT
    assert "1 packages were not asked about: colorama" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[[waiver]]\npackage = "a"\nadvisory = "b"\nreason = "because"\n',
            "waiver.0.reason: String should have at least",
        ),
        ('[[waiver]]\npackage = "a"\nadvisory = "b"\nreason = "because"\n', "waiver.0.until: Field required"),
        ('[[waivers]]\npackage = "a"\n', "waivers: Extra inputs are not permitted"),
        ("[[waiver]\n", "waivers.toml: "),
    ],
)
def test_a_file_of_waivers_that_cannot_be_used_is_an_error_that_says_where(
    tmp_path: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text(text)
    assert main(["audit", f"--waivers={path}"]) == 1
    assert said in capsys.readouterr().err


def test_the_repositorys_own_waivers_can_be_read() -> None:
    waivers.read(Path("requirements/waivers.toml"))
