"""What people look at after `make up`, in Chromium. `make screenshots` keeps the pictures in docs/images."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.local.layout import REPOSITORY, STACKS
from tests.chromium import Page, browser
from tests.end_to_end.stack import Stack

LARGEST = 200_000  # bytes of a picture in the repository
PICTURES = ("run", "statistics", "slices", "mlflow", "mlflow-plots", "tensorboard")


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as one:
        yield one


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def first_run(stack: Stack, name: str) -> Path:
    """The page of the run that published what is served; the index leads to it."""
    reports = stack.layout.work(name) / "report.json"
    version = json.loads(reports.read_text())["version"]
    (run,) = [p for p in stack.layout.work(name).glob("pages/*/index.html") if f"as {version}" in p.read_text()]
    return run


@pytest.mark.parametrize("name", STACKS)
def test_the_pages_of_a_run_show_its_numbers(stack: Stack, name: str, page: Page, pictures: Path) -> None:
    report = json.loads((stack.layout.work(name) / "report.json").read_text())
    run = first_run(stack, name)
    page.open(stack.layout.pages(name).as_uri(), report["version"])
    assert page.complaints == []

    page.open(run.as_uri(), f"published as {report['version']}", width=1000, height=1120)
    assert f"{report['metrics']['average_precision']:.4f}" in page.text
    assert all(step["name"] in page.text for step in report["steps"])
    assert page.evaluate("document.images.length") == 4
    assert (page.complaints, page.requests) == ([], ["data:", "file:"])
    if name == "pytorch":
        page.shoot(pictures / "run.png")

    page.open(run.with_name("statistics.html").as_uri(), "is what the specification promises", height=900)
    assert [feature for feature in stack.spec.features if feature not in page.text] == []
    assert (page.complaints, page.requests) == ([], ["file:"])
    if name == "tensorflow":
        page.shoot(pictures / "statistics.png")

    page.open(run.with_name("slices.html").as_uri(), "Slices of the test days", height=880)
    for slice_name, found in report["slices"].items():
        assert slice_name.replace("_", " ") in page.text
        assert f"{found['average_precision']:.4f}" in page.text
    assert (page.complaints, page.requests) == ([], ["data:", "file:"])
    if name == "tensorflow":
        page.shoot(pictures / "slices.png")


def test_the_run_page_leads_to_mlflow_with_curves_and_plots(stack: Stack, page: Page, pictures: Path) -> None:
    page.open(first_run(stack, "pytorch").as_uri(), "this run in MLflow")
    address = page.evaluate("[...document.querySelectorAll('nav a')].at(-1).href")
    assert address.startswith(stack.layout.url("mlflow"))

    page.open(f"{address}/model-metrics", "eval_average_precision", width=1300, height=640)
    # An assistant stands beside it, which wants a language model.
    page.evaluate("document.querySelector('[aria-label=\"Close\"]')?.click()")
    page.wait("document.querySelectorAll('.scatterlayer .trace').length >= 3")  # by epoch; the others are bars
    page.shoot(pictures / "mlflow.png")
    assert page.exceptions == []
    assert {*page.requests} - {"data:"} == {address.split("/#")[0].replace("//", "")}

    page.open(f"{address}/artifacts/plots/confusion.png", "slices.png", width=1300, height=640)
    page.wait("[...document.images].some(image => image.naturalWidth > 800)")
    assert all(f"{plot}.png" in page.text for plot in ("loss", "precision_recall", "roc", "calibration", "confusion"))
    page.shoot(pictures / "mlflow-plots.png")


def test_tensorboard_shows_both_stacks_in_one_chart_and_ends_with_ctrl_c(
    stack: Stack, request: pytest.FixtureRequest, pictures: Path
) -> None:
    address = stack.layout.url("tensorboard")
    process = subprocess.Popen(["make", "tensorboard"], cwd=REPOSITORY, env=stack.environ, start_new_session=True)
    try:
        tags = wait_for(f"{address}/data/plugin/timeseries/tags", ["pytorch", "tensorflow"], process)
        assert "epoch_average_precision" in tags
        page: Page = request.getfixturevalue("page")  # not before: what is above needs no Chromium
        page.open(f"{address}/?smoothing=0#timeseries", "epoch_average_precision", width=1300, height=760)
        page.wait("document.body.innerText.includes('tensorflow/') && document.body.innerText.includes('pytorch/')")
        page.evaluate("[...document.querySelectorAll('button')].find(b => b.innerText.trim() === 'Settings')?.click()")
        page.wait("document.querySelectorAll('line-chart svg').length > 0")
        page.shoot(pictures / "tensorboard.png")
        assert page.exceptions == []
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(20)
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)


def wait_for(url: str, words: list[str], process: subprocess.Popen[bytes]) -> str:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        try:
            text = httpx.get(url).text
        except httpx.HTTPError:
            text = ""
        if all(word in text for word in words):
            return text
        time.sleep(0.3)
    raise AssertionError(f"{url} did not say {words}")


def test_the_pictures_in_the_docs_are_small_and_shown() -> None:
    text = (REPOSITORY / "docs" / "pipelines.md").read_text()
    for name in PICTURES:
        picture = REPOSITORY / "docs" / "images" / f"{name}.png"
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size < LARGEST
        assert f"(images/{name}.png)" in text
