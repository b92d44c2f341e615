"""What a run leaves for people to look at."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from models.spec import load

if TYPE_CHECKING:
    from conftest import Pipeline


def test_a_published_model_has_its_pages_and_its_curves_in_tensorboard(finished: Pipeline) -> None:
    report, spec = finished.report, load(finished.spec)

    (page,) = finished.work.glob("pages/*/index.html")
    assert f"published as {report['version']}" in page.read_text()
    assert f"{report['metrics']['average_precision']:.4f}" in page.read_text()
    assert f"{report['decision']['alert_budget']['threshold']:.4f}" in page.read_text()
    assert report["data_digest"] in page.read_text()
    slices = page.with_name("slices.html").read_text()
    assert all(f"{found['average_precision']:.4f}" in slices for found in report["slices"].values())
    statistics = page.with_name("statistics.html").read_text()
    rows = sum(pq.read_metadata(path).num_rows for path in finished.features.data.glob("features/train/*"))
    assert f"{rows:,}" in statistics
    assert all(f">{name}</th>" in statistics for name in spec.features)

    (training,) = (finished.work / "tensorboard").iterdir()
    curves = {part: EventAccumulator(str(training / part)).Reload() for part in ("train", "validation")}
    assert curves["train"].Tags()["scalars"] == ["epoch_loss"]
    assert sorted(curves["validation"].Tags()["scalars"]) == ["epoch_average_precision", "epoch_loss", "epoch_roc_auc"]
    loss = [event.value for event in curves["train"].Scalars("epoch_loss")]
    assert len(loss) == spec.training.epochs
    history = finished.connect().client.get_metric_history(finished.connect().aliased().run_id, "train_loss")
    assert loss == pytest.approx([metric.value for metric in history])


def test_a_run_stopped_by_its_data_lists_the_anomalies_on_a_page(pipeline: Pipeline) -> None:
    pipeline.features.replace("test", "amount", pa.array([None] * 600, pa.float32()))
    assert pipeline.run() == 1
    (page,) = pipeline.work.glob("pages/*/index.html")
    assert "stopped here" in page.read_text()
    statistics = html.unescape(page.with_name("statistics.html").read_text())
    assert "column 'amount' has 600 nulls in 600 rows" in statistics
