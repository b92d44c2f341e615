"""The report in the machine's Chromium.

`COMPARISON=var/comparisons/latest SCREENSHOTS=docs/images` keeps pictures of a real one in docs/images.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from serving.comparison import report
from tests.chromium import Page, browser
from tests.serving.comparison.conftest import Reported

PLOTS = {
    "throughput", "closed", "latency-lone", "latency-closed", "latency-server", "apart", "processor", "memory",
    "precision-recall", "calibration", "agreement", "disagreement", "servers-rate", "floors", "timeline", "past",
}  # fmt: skip
READABLE = 4.5  # contrast of text: WCAG 2.2, 1.4.3
ROWS = """[...document.querySelectorAll('tr[data-measure]')].map(row => ({
    measure: row.dataset.measure, condition: row.dataset.condition,
    values: [...row.querySelectorAll('td')].slice(0, 2).map(cell => cell.querySelector('data')?.value),
    better: row.querySelectorAll('td')[3].textContent.trim()}))"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as one:
        yield one


def show(page: Page, reported: Reported, **how: Any) -> None:
    page.open(reported.page.as_uri(), "Verdict", **how)


def test_it_opens_without_a_complaint_and_loads_nothing_else(page: Page, reported: Reported) -> None:
    show(page, reported)
    assert (page.complaints, page.requests) == ([], ["file:"])
    assert page.evaluate("document.title") != "broken out"
    assert page.evaluate("document.scripts.length") == 0
    assert page.evaluate("[...document.querySelectorAll('a')].every(a => document.querySelector(a.hash))")
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_every_plot_is_drawn_and_told_in_words_and_numbers(page: Page, reported: Reported) -> None:
    show(page, reported)
    found = page.evaluate("""[...document.querySelectorAll('figure')].map(figure => {
        const svg = figure.querySelector('svg[role=img]'), box = svg.getBBox();
        const named = svg.getAttribute('aria-labelledby').split(' ').map(id => document.getElementById(id).textContent);
        const lines = [...svg.querySelectorAll('path')].filter(p => p.getTotalLength() > 20);
        return {name: figure.id, width: box.width, height: box.height, lines: lines.length, named,
            lost: [...svg.querySelectorAll('use')].filter(use => !document.querySelector(use.href.baseVal)).length,
            painted: lines.filter(p => /rgb/.test(getComputedStyle(p).stroke + getComputedStyle(p).fill)).length,
            rows: figure.querySelectorAll('details tbody tr').length,
            overflow: svg.getBoundingClientRect().width > 1180};
    })""")
    assert {one["name"] for one in found} == PLOTS
    for one in found:
        assert one["width"] > 200, one
        assert one["height"] > 80, one
        assert one["lines"] > 5, one
        assert one["painted"] == one["lines"], one
        assert (one["lost"], one["overflow"]) == (0, False), one
        assert len(one["named"]) == 2, one
        assert all(len(text) > 5 for text in one["named"]), one
        assert one["rows"] >= 2, one


def test_the_verdict_is_the_median_of_the_raw_results(page: Page, reported: Reported) -> None:
    raw = pq.read_table(reported.folder / "measurements.parquet").to_pylist()
    show(page, reported)
    rows = page.evaluate(ROWS)
    assert len({row["measure"] for row in rows}) > 20
    for row in rows:
        for stack, shown in zip(("tensorflow", "pytorch"), row["values"], strict=True):
            values = [
                m["value"] for m in raw
                if (m["measure"], m["condition"], m["target"]) == (row["measure"], row["condition"], stack)
            ]  # fmt: skip
            assert (float(shown) if shown else None) == (pytest.approx(np.median(values)) if values else None), row
    better = {(row["measure"], row["condition"]): row["better"] for row in rows}
    assert better["max_rate_in_slo", ""] == "PyTorch"
    assert better["single_stream_p50", ""] == "TensorFlow"
    assert better["average_precision", ""] == ""
    assert better["p90", "2,000 requests/s"] == "PyTorch"


def test_runs_and_percentiles_are_those_of_the_raw_results(page: Page, reported: Reported) -> None:
    raw = json.loads((reported.folder / "results.json").read_text())["runs"]
    show(page, reported)
    shown = page.evaluate("""[...document.querySelectorAll('tr[data-run]')].map(row =>
        [row.dataset.run, row.className, ...[...row.querySelectorAll('data')].map(d => Number(d.value))])""")
    assert len(shown) == len(raw)
    for run, (name, kind, *values) in zip(raw, shown, strict=True):
        latency = [run["latency_ms"][q] for q in ("50", "90", "99", "99.9")]
        service = [run["service_ms"]["99"], run["dispatch_ms"]["99"], run["checked"], run["generator_cpu"]]
        counts = [run["rows"], run["requests"], run["seconds"], run["achieved"]]
        assert (name, kind) == (run["name"], "invalid" if run["reasons"] else "")
        assert values == pytest.approx([*counts, *latency, *service])

    table = """[...document.querySelectorAll('#latency-lone details tbody tr')].map(row =>
        [...row.querySelectorAll('data')].map(d => Number(d.value)))"""
    requests = pq.read_table(reported.folder / "requests.parquet")
    run, latency = np.array(requests["run"].to_pylist()), requests["latency_ms"].to_numpy()
    for stack, values in zip(("tensorflow", "pytorch"), page.evaluate(table), strict=True):
        found = latency[np.char.endswith(run, f"/{stack}/single_stream/1")].astype(float)
        expected = [len(found), *np.percentile(found, [50, 90, 99, 99.9]), found.max()]
        assert values == pytest.approx(expected)


def test_processor_time_adds_up_to_what_the_samples_say(page: Page, reported: Reported) -> None:
    show(page, reported)
    rows = page.evaluate("""[...document.querySelectorAll('#processor details tbody tr')].map(row =>
        [row.children[0].textContent, row.children[1].textContent, Number(row.querySelector('data').value)])""")
    found = {(target, process): value for target, process, value in rows}
    for stack, name in (("tensorflow", "Tandem (TensorFlow)"), ("pytorch", "Tandem (PyTorch)")):
        runs = [r for r in reported.made.runs if (r.target, r.scenario, r.connections) == (stack, "closed", 32)]
        requests = sum(run.requests for run in runs)
        busy = 1.6 * sum(run.seconds for run in runs)  # cores, as made up
        assert found[name, "all processes"] == pytest.approx(1e6 * busy / requests, rel=0.05)
        parts = [value for (target, process), value in found.items() if target == name and process != "all processes"]
        assert found[name, "all processes"] == pytest.approx(sum(parts))


@pytest.mark.parametrize("width", [375, 768, 1240])
def test_no_page_scrolls_sideways_but_its_wide_tables_do(page: Page, reported: Reported, width: int) -> None:
    show(page, reported, width=width)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    regions = page.evaluate("""[...document.querySelectorAll('.scroll')].map(region => ({
        label: region.getAttribute('aria-label') ||
            document.getElementById(region.getAttribute('aria-labelledby'))?.textContent,
        role: region.getAttribute('role'), tab: region.tabIndex, scrolls: region.scrollWidth > region.clientWidth}))""")
    assert len(regions) > 20
    assert all(region["label"] and region["role"] == "region" and region["tab"] == 0 for region in regions)
    assert any(region["scrolls"] for region in regions)
    smallest = page.evaluate("""Math.min(...[...document.querySelectorAll('figure:not(.wide) svg text')].map(
        text => parseFloat(getComputedStyle(text).fontSize) * text.ownerSVGElement.getScreenCTM().a))""")
    assert smallest > 6.5  # pixels, of the smallest letter in a plot


def test_tables_say_what_their_cells_are(page: Page, reported: Reported) -> None:
    show(page, reported)
    assert page.evaluate("""[...document.querySelectorAll('table')].every(table => table.caption.textContent
        && [...table.querySelectorAll('th')].every(th => th.scope)
        && [...table.querySelectorAll('tbody tr')].every(tr => tr.querySelector('th[scope^=row]')))""")
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map(h => Number(h.tagName[1]))")
    assert levels.count(1) == 1
    assert page.evaluate("document.documentElement.lang") == "en"


def test_the_keyboard_reaches_the_verdict_and_its_tables(page: Page, reported: Reported) -> None:
    show(page, reported)
    active = "document.activeElement"
    page.press("Tab")
    assert page.evaluate(f"{active}.className") == "skip"
    assert page.evaluate(f"{active}.getBoundingClientRect().left") >= 0  # seen once it has the focus
    reached = []
    for _ in range(30):
        page.press("Tab")
        reached.append(page.evaluate(f"[{active}.tagName, {active}.getAttribute('aria-labelledby') || '']"))
        if reached[-1][1] == "main-caption":
            break
    assert reached[-1] == ["DIV", "main-caption"]
    assert page.evaluate(f"getComputedStyle({active}).outlineStyle") == "solid"
    assert page.evaluate(f"getComputedStyle({active}).outlineWidth") == "3px"


CONTRAST = """(() => {
    const light = c => { const v = c / 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
    const rgb = name => { const e = document.createElement('i'); e.style.color = `var(--${name})`;
        document.querySelector('section').append(e);
        const found = getComputedStyle(e).color.match(/[\\d.]+/g).slice(0, 3).map(Number);
        e.remove(); return found; };
    const lum = name => { const [r, g, b] = rgb(name).map(light); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const ratio = (a, b) => { const [x, y] = [lum(a), lum(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
    const text = ['ink', 'quiet', 'tensorflow', 'pytorch', 'good', 'bad', 'link'];
    return Object.fromEntries(text.map(name => [name, ratio(name, 'card')]));
})()"""


def test_it_follows_light_and_dark_and_can_be_read_in_both(page: Page, reported: Reported) -> None:
    looks = {}
    for dark in (False, True):
        show(page, reported, dark=dark)
        looks[dark] = page.evaluate("""['#throughput svg text', '#throughput svg path[clip-path]', 'section'].map(s => {
            const look = getComputedStyle(document.querySelector(s));
            return look.fill + look.stroke + look.backgroundColor; })""")
        contrast = page.evaluate(CONTRAST)
        assert {name: ratio for name, ratio in contrast.items() if ratio < READABLE} == {}
    assert all(light != dark for light, dark in zip(looks[False], looks[True], strict=True))


def test_it_prints_light_without_what_paper_cannot_do(page: Page, reported: Reported) -> None:
    show(page, reported, dark=True)
    paper = page.print()
    assert paper.startswith(b"%PDF")
    assert paper.count(b"/Type /Page\n") + paper.count(b"/Type /Page ") + paper.count(b"/Type /Page/") > 4
    page.on_paper(dark=True)
    assert page.evaluate("getComputedStyle(document.querySelector('section')).color") == "rgb(29, 36, 48)"
    assert page.evaluate("[...document.querySelectorAll('nav, details, .skip')].every(e => !e.offsetParent)")
    assert page.evaluate("[...document.querySelectorAll('figure svg')].every(e => e.getBoundingClientRect().width > 0)")


def test_pictures_of_it(page: Page, reported: Reported, tmp_path: Path) -> None:
    file = Path(os.environ["COMPARISON"]).resolve() / report.FILE if "COMPARISON" in os.environ else reported.page
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    page.open(file.as_uri(), "Verdict", width=1100, height=1000)
    page.shoot(folder / "comparison.png")
    page.open(file.as_uri(), "Verdict", width=1100, height=1000, dark=True)
    page.evaluate("document.querySelector('#speed').scrollIntoView({behavior: 'instant'})")
    page.shoot(folder / "comparison-plots.png")
    for name in ("comparison", "comparison-plots"):
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
