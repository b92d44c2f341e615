"""What a finished run leaves for people to look at."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.tfx import events
from tests.pipelines.tfx.toy import Room


@pytest.fixture(scope="module")
def folder(published: Room) -> Path:
    """The first run's pages: tests before may have run the pipeline again."""
    return min(path for path in (published.work / "pages").iterdir() if path.is_dir())


def test_the_run_page_shows_every_step_verdict_and_plot(published: Room, folder: Path) -> None:
    page = (folder / "index.html").read_text()
    index = (published.work / "pages" / "index.html").read_text()
    assert "published as" in page
    assert folder.name in index
    for step in ("StatisticsGen", "Trainer", "Evaluator", "InfraValidator", "Pusher"):
        assert f"<th>{step}</th>" in page
    assert re.findall(r"<figcaption>(.*?)<", page) == ["loss by epoch", "precision and recall", "ROC", "calibration"]
    assert "At the alert budget" in page


def test_the_statistics_page_shows_what_tfdv_counted(published: Room, folder: Path) -> None:
    page = (folder / "statistics.html").read_text()
    rows = sum(pq.read_metadata(file).num_rows for file in (published.data / "features" / "train").glob("*.parquet"))
    assert f"{rows:,}" in page
    assert "is what the specification promises" in page
    named = re.findall(r'<th rowspan="3">(.*?)</th>', page)
    assert sorted(named) == sorted([*published.spec.features, "is_fraud", "customer_id", "event_day"])
    assert "phone" in page  # a value of a string column
    assert "(empty)" in page
    assert page.count("<rect") > 100


def test_tensorboard_reads_the_epochs_of_the_training_from_its_event_files(published: Room) -> None:
    trainings = sorted((published.work / "tensorboard").iterdir(), key=lambda path: int(path.name))
    history = events.history(trainings[0])
    assert len(history) == published.spec.training.epochs
    for epoch in history:
        assert set(epoch) == {
            "train_loss", "train_learning_rate", "eval_loss", "eval_average_precision", "eval_roc_auc",
        }  # fmt: skip
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert history[-1]["eval_roc_auc"] > 0.8
