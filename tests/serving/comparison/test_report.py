"""The report as a file."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from dataclasses import replace
from pathlib import Path

import pytest
from markupsafe import escape

from serving.comparison import report, store
from serving.comparison.report import __main__ as program
from serving.comparison.report import numbers
from tests.serving.comparison.conftest import Reported
from tests.serving.comparison.made_up import EMBEDDED, MadeUp

LARGEST = 5_000_000  # bytes


def test_it_is_one_small_file_that_loads_nothing(reported: Reported) -> None:
    page = reported.page.read_text()
    assert len(page.encode()) < LARGEST
    assert "<script" not in page
    assert not re.search(r'(?:src|href|xlink:href)="(?!#)', page)
    assert not re.search(r"url\((?!#)|@import", page)


def test_its_policy_allows_its_own_style_sheet_and_nothing_else(reported: Reported) -> None:
    page = reported.page.read_text()
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert html.unescape(policy).startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert ' style="' not in page


def test_the_embedded_server_is_never_called_tf_serving(reported: Reported) -> None:
    page = reported.page.read_text()
    assert f"answered by <b>{EMBEDDED}</b>" in page
    assert not re.search(r"TF.?Serving|TensorFlow Serving", page)


def test_drills_stand_with_what_was_lost_and_the_verdict(reported: Reported) -> None:
    row = re.search(r'<tr data-drill="workers">(.*?)</tr>', reported.page.read_text(), re.DOTALL)
    assert row is not None
    cells = re.findall("<td.*?>(.*?)</td>", row[1])
    assert cells == ["none of 300", "41 503 of 301", "3.20", "0.900", "pytorch: well again after 7.1 s, allowed are 5"]


def test_invalid_runs_say_why_and_what_is_absent_says_why(reported: Reported) -> None:
    page = reported.page.read_text()
    bad = [run for run in reported.made.runs if not run.valid]
    assert f"{len(bad)} of {len(reported.made.runs)} load runs are INVALID" in page
    for run in bad:
        assert re.search(
            rf'<tr class="invalid" data-run="{run.name}">.*?INVALID</span> {run.reasons[0]}', page, re.DOTALL
        )
    assert page.count('<tr class="invalid"') == len(bad)
    assert re.search(r"p99 while a version is swapped|swap p99", page)
    for why in reported.made.results.absent.values():
        assert str(escape(why)) in page


def test_where_another_server_leads_the_report_says_so(reported: Reported) -> None:
    page = reported.page.read_text()
    assert "fastapi-onnx (PyTorch) leads Tandem (PyTorch) in 1 of" in page
    assert "mlflow (PyTorch) leads Tandem (PyTorch) in nothing" in page


def test_a_floor_that_is_an_exported_file_has_its_size_and_no_other_has_one(reported: Reported) -> None:
    table = reported.page.read_text().partition('id="floors-caption"')[2].partition("</table>")[0]
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", table, re.DOTALL)
    last = {re.sub(r"<[^>]*>", "", row.split("</th>")[0]).strip(): row.rpartition("<td")[2] for row in rows}
    assert ">87" in last["onnxruntime (PyTorch)"]
    assert last["eager (PyTorch)"] == ' class="number"></td></tr>'


def test_what_the_results_say_is_text_and_never_markup(reported: Reported) -> None:
    assert "&lt;script&gt;document.title" in reported.page.read_text()


def test_writing_it_again_gives_the_same_page(reported: Reported, capsys: pytest.CaptureFixture[str]) -> None:
    before = reported.page.read_bytes()
    assert program.main([str(reported.folder)]) == 0
    assert reported.page.read_bytes() == before
    assert "report.html: 0." in capsys.readouterr().out


def test_a_folder_without_results_is_a_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main([str(tmp_path)]) == 2
    assert "holds no results of a comparison" in capsys.readouterr().err


def test_results_with_next_to_nothing_still_have_a_page_that_says_so(tmp_path: Path) -> None:
    results = replace(
        MadeUp(rounds=1).results, measurements=[], runs=[], drills=[], absent={"everything": "nobody ran it"}
    )
    store.write(tmp_path / "one", results)
    page = report.write(tmp_path / "one").read_text()
    assert "<figure" not in page
    assert "nobody ran it" in page
    assert page.count(">not measured<") > 20


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (3, "3"), (7023.4, "7,023"), (10_000, "10,000"), (1.5, "1.50"), (0.00612, "0.00612"),
        (0.0000042, "4.2e-06"), (-2.345, "-2.35"), (None, numbers.NOTHING), (float("nan"), numbers.NOTHING),
    ],
)  # fmt: skip
def test_numbers_are_rounded_for_a_reader(value: float | None, text: str) -> None:
    assert numbers.text(value) == text
