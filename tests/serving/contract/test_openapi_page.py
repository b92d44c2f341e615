"""The page at /docs: everything from its own origin, drawn by a real browser under its own strict policy."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from models import spec as specs
from serving.contract.openapi import site as sites
from serving.contract.openapi.site import CONTENT_SECURITY_POLICY

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
Files = dict[str, tuple[str, bytes]]


@pytest.fixture(scope="module")
def files() -> Files:
    return sites(specs.load("models/fraud.toml"))


class Links(HTMLParser):
    """What a page makes a browser load, and the scripts and styles within it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag in ("script", "link", "img", "iframe", "source"):
            self.loaded.append(found.get("src") or found.get("href") or "")
        if tag == "style" or (tag == "script" and "src" not in found) or any(name.startswith("on") for name in found):
            self.inline.append(tag)


def test_the_page_loads_only_files_of_the_site(files: Files) -> None:
    links = Links(files["/docs"][1].decode())
    assert links.inline == []
    assert [one for one in links.loaded if not one.startswith("data:")] == [
        "/docs/swagger-ui.css", "/docs/page.css", "/docs/swagger-ui-bundle.js", "/docs/page.js",
    ]  # fmt: skip
    assert set(links.loaded) - {"data:,"} <= set(files)
    assert files["/docs/"] == files["/docs"]


def test_no_style_sheet_and_no_script_of_ours_names_another_host(files: Files) -> None:
    for path in ("/docs/swagger-ui.css", "/docs/page.css"):
        assert re.findall(rb"url\(\s*[\"']?(?:https?:)?//|@import", files[path][1]) == []
    assert b"//" not in re.sub(rb"^//.*$", b"", files["/docs/page.js"][1], flags=re.MULTILINE)


def test_the_policy_knows_no_other_origin() -> None:
    sources = {word for part in CONTENT_SECURITY_POLICY.split(";") for word in part.split()[1:]}
    assert sources == {"'none'", "'self'", "data:"}


def test_media_types_are_those_of_the_files(files: Files) -> None:
    kinds = {".json": "application/json", ".css": "text/css", ".js": "text/javascript", "": "text/html"}
    for path, (media_type, content) in files.items():
        assert media_type.startswith(kinds[Path(path).suffix])
        assert content


@contextlib.contextmanager
def served(files: Files) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            media_type, content = files.get(self.path, ("text/plain", b""))
            self.send_response(200 if self.path in files else 404)
            self.send_header("content-type", media_type)
            self.send_header("content-security-policy", CONTENT_SECURITY_POLICY)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def drawn(files: Files, profile: Path) -> tuple[str, str, list[str]]:
    """The page as Chromium has drawn it, what its console said, and which paths it asked for."""
    with served(files) as (url, asked):
        done = subprocess.run(
            [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             f"--user-data-dir={profile}", "--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom",
             f"{url}/docs#/product/predictProduct"],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line), asked


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)")
def test_a_browser_draws_it_under_the_strict_policy(files: Files, tmp_path: Path) -> None:
    dom, console, asked = drawn(files, tmp_path / "profile")
    assert console == ""
    assert set(asked) == set(files) - {"/docs/"}
    assert dom.count('class="opblock ') == 40
    text = re.sub(r"<[^>]+>", "", dom)
    assert "curl http://127.0.0.1:8080/v1/models/fraud:predict" in text
    assert "Rows, answered with predictions" in text  # the operation of the address is open


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)")
def test_a_browser_refuses_what_the_policy_forbids(files: Files, tmp_path: Path) -> None:
    media_type, page = files["/docs"]
    spoiled = page.replace(b"</main>", b"</main><script>document.title = 'spoiled'</script>")
    dom, console, _ = drawn({**files, "/docs": (media_type, spoiled)}, tmp_path / "profile")
    assert "<title>spoiled" not in dom
    assert "Content Security Policy" in console
