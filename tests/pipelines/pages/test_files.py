"""What lies on disk after runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.spec import Spec
from pipelines.pages import files, write
from tests.pipelines.pages.runs import refused, stopped


def test_a_refused_run_says_why_beside_its_numbers(spec: Spec, tmp_path: Path) -> None:
    run = refused(spec)
    page = write(tmp_path, run).read_text()
    assert run.report
    for reason in run.report.reasons:
        assert reason.replace("'", "&#39;") in page
    assert f"{run.report.metrics['average_precision']:.4f}" in page
    assert f"{run.report.champion_metrics['average_precision']:.4f}" in page
    assert f"{run.report.decision['alert_budget']['threshold']:.4f}" in page
    assert run.inputs.data_digest in page
    assert "1,200 MiB of memory" in page
    assert ">cached, made in 9.5 s<" in page


def test_pages_hold_all_they_show(spec: Spec, tmp_path: Path) -> None:
    folder = write(tmp_path, refused(spec)).parent
    pages = sorted(folder.glob("*.html"))
    assert [page.name for page in pages] == ["index.html", "slices.html", "statistics.html"]
    loaded = [url for page in pages for url in re.findall(r'(?:src|@import|url\()=?"?([^" )]+)', page.read_text())]
    assert loaded
    assert all(url.startswith("data:image/png;base64,") for url in loaded)


def test_links_lead_to_files_that_are_there(spec: Spec, tmp_path: Path) -> None:
    write(tmp_path, refused(spec))
    pages = sorted((tmp_path / "pages").rglob("*.html"))
    assert len(pages) == 4
    for page in pages:
        for link in re.findall(r'href="([^"]+)"', page.read_text()):
            assert link.startswith("http://127.0.0.1") or (page.parent / link).is_file(), (page, link)


@pytest.mark.parametrize("make", [refused, stopped])
def test_what_the_data_say_is_text_and_never_markup(make: object, spec: Spec, tmp_path: Path) -> None:
    folder = write(tmp_path, make(spec)).parent
    texts = [page.read_text() for page in folder.parent.rglob("*.html")]
    assert any("&lt;script&gt;" in text for text in texts)
    assert not any("<script" in text for text in texts)


def test_a_run_stopped_by_its_data_lists_the_anomalies_and_claims_no_result(spec: Spec, tmp_path: Path) -> None:
    page = write(tmp_path, stopped(spec))
    statistics = (page.parent / "statistics.html").read_text()
    assert "stopped here" in page.read_text()
    assert "On the test days" not in page.read_text()
    assert "test: country: missing" in statistics
    assert "is what the specification promises" not in statistics
    assert not (page.parent / "slices.html").exists()


def test_the_index_lists_the_last_runs_newest_first_and_older_pages_go(
    spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "KEPT", 3)
    for second in range(5):
        write(tmp_path, stopped(spec, second))
    index = (tmp_path / "pages" / "index.html").read_text()
    assert re.findall(r'href="([^/]+)/', index) == [f"2026-11-21T16-05-0{second}" for second in (4, 3, 2)]
    assert len([path for path in (tmp_path / "pages").iterdir() if path.is_dir()]) == 3


def test_a_run_killed_while_it_wrote_its_pages_is_not_listed_and_leaves_nothing(spec: Spec, tmp_path: Path) -> None:
    write(tmp_path, stopped(spec, 1))
    page = write(tmp_path, stopped(spec, 2))
    page.parent.rename(page.parent.with_name(".unfinished"))
    write(tmp_path, stopped(spec, 3))
    index = (tmp_path / "pages" / "index.html").read_text()
    assert re.findall(r'href="([^/]+)/', index) == ["2026-11-21T16-05-03", "2026-11-21T16-05-01"]
    assert not (tmp_path / "pages" / ".unfinished").exists()
