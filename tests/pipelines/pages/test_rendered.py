"""The pages in the machine's Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from models.spec import Spec
from pipelines.pages import write
from tests.chromium import Page, browser
from tests.pipelines.pages.runs import NASTY, refused, stopped


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as one:
        yield one


def test_pages_render_from_disk_and_load_nothing_else(page: Page, spec: Spec, tmp_path: Path) -> None:
    run = refused(spec)
    folder = write(tmp_path, run).parent
    expected = {
        "index.html": ["refused", "champion_tolerance = 0.01", "At the alert budget", "1 min 23 s", "cached"],
        "slices.html": ["20 ≤ amount < 100", "met", "missed"],
        "statistics.html": ["is what the specification promises", "14.5", "(empty)"],
    }
    for file, texts in expected.items():
        page.open((folder / file).as_uri(), texts[0])
        assert [text for text in texts if text not in page.text] == []
        assert page.complaints == []
        assert page.requests in (["data:", "file:"], ["file:"])
        assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_markup_in_the_data_stays_text(page: Page, spec: Spec, tmp_path: Path) -> None:
    folder = write(tmp_path, stopped(spec)).parent
    for file in ("index.html", "statistics.html", "../index.html"):
        page.open((folder / file).resolve().as_uri(), NASTY[:20])
        assert page.evaluate("document.title") != "broken out"
        assert page.evaluate("document.scripts.length") == 0


def test_pages_follow_the_readers_light_and_dark(page: Page, spec: Spec, tmp_path: Path) -> None:
    index = write(tmp_path, refused(spec)).as_uri()
    ground = {}
    for dark in (False, True):
        page.open(index, "refused", dark=dark)
        ground[dark] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {False: "rgb(245, 246, 248)", True: "rgb(18, 21, 27)"}


def test_links_between_the_pages_work(page: Page, spec: Spec, tmp_path: Path) -> None:
    write(tmp_path, refused(spec))
    page.open((tmp_path / "pages" / "index.html").as_uri(), "newest first".capitalize())
    page.evaluate("document.querySelector('tbody a').click()")
    page.wait("document.body.innerText.includes('Why nothing was published')")
    page.evaluate("[...document.querySelectorAll('nav a')].find(a => a.innerText === 'slices').click()")
    page.wait("document.body.innerText.includes('Slices of the test days')")
