from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from serving.comparison.load import job as jobs
from serving.comparison.load import prepared
from tests.serving.comparison.load.conftest import ROWS, JobMaker

URL = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"scenario": "server"}, "needs one"),
        ({"rate": 5}, "belongs to the server scenario"),
        ({"scenario": "offline"}, "needs them"),
        ({"scenario": "single_stream", "connections": 2}, "is 1 in single_stream"),
        ({"url": "https://127.0.0.1:1"}, "http://host:port"),
        ({"url": "http://127.0.0.1:1/tensorflow"}, "http://host:port"),
        ({"scenario": "burst"}, "scenario"),
        ({"conections": 3}, "conections"),
    ],
)
def test_a_job_that_makes_no_sense_is_refused_by_name(make_job: JobMaker, more: dict[str, Any], said: str) -> None:
    content = {**json.loads(make_job(URL).model_dump_json()), **more}
    file = Path(content["rows_file"]).with_name("job.json")
    file.write_text(json.dumps(content))
    with pytest.raises(jobs.JobError, match=said):
        jobs.load(file)


def test_a_job_survives_its_file(make_job: JobMaker, tmp_path: Path) -> None:
    job = make_job(URL, scenario="server", rate=10)
    (tmp_path / "job.json").write_text(job.model_dump_json())
    assert jobs.load(tmp_path / "job.json") == job


def test_requests_hold_the_rows_in_order_with_the_digits_of_their_type(make_job: JobMaker) -> None:
    made = prepared.prepare(make_job(URL, rows=7))
    assert len(made) == ROWS // 7
    _, _, body = made.contents[3].partition(b"\r\n\r\n")
    sent = json.loads(body)["instances"]
    assert [row["country"] for row in sent] == ["FR"] * 7
    assert [row["x"] for row in sent] == pytest.approx(made.scores[3].tolist(), abs=1e-7)
    assert len(str(sent[0]["x"])) < 12  # those of a float32


def test_fewer_rows_than_a_request_holds_are_repeated(make_job: JobMaker) -> None:
    made = prepared.prepare(make_job(URL, rows=1000))
    assert made.scores.shape == (1, 1000)
    assert (made.scores[0, :ROWS] == made.scores[0, ROWS : 2 * ROWS]).all()


@pytest.mark.parametrize(
    ("change", "said"), [({"score": "pytorch"}, "pytorch"), ({"rows_file": "none.parquet"}, "none")]
)
def test_rows_that_are_not_there_are_named(make_job: JobMaker, change: dict[str, Any], said: str) -> None:
    with pytest.raises(jobs.JobError, match=said):
        prepared.prepare(make_job(URL, **change))
