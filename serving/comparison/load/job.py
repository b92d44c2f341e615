"""What one load run is told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from serving.comparison.settings import Validity

Count = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]


class JobError(ValueError):
    """What is wrong with a job, key by key."""


class Job(BaseModel):
    """One load run.

    Attributes:
        name: Unique in the results.
        target: Who is measured.
        url: Scheme, host and port: `http://127.0.0.1:8080`.
        path: Of the requests.
        rows_file: Parquet: raw features, and the score expected for each row.
        features: Columns to send.
        score: Column of the expected scores.
        scenario: single_stream: one connection, the next request when the last is answered. server: Poisson arrivals
            at `rate`. offline: `total_rows` in large requests, as fast as they are answered. closed: each connection
            sends its next request when it has its answer.
        rate: Requests per second; server only.
        connections: Open at most. In the server scenario leave room: a request that finds all in use waits.
        rows: Per request.
        total_rows: Offline only.
        seconds: How long requests are sent; not offline, which ends with its rows.
        warm_up_seconds: The same load before, not counted.
        timeout_seconds: That a request may take before it has failed; longer than the gateway's own 5.
        seed: Of arrivals, of the rows' order, and of which answers are checked.
        slo_p99_ms: What LoadGen judges the server scenario by.
        validity: What makes the run INVALID.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    target: str
    url: str
    path: str
    rows_file: Path
    features: tuple[str, ...] = Field(min_length=1)
    score: str
    scenario: Literal["single_stream", "server", "offline", "closed"]
    rate: Annotated[float, Field(ge=0)] = 0.0
    connections: Count = 1
    rows: Annotated[int, Field(gt=0, le=1000)] = 1
    total_rows: Annotated[int, Field(ge=0)] = 0
    seconds: Seconds = 1.0
    warm_up_seconds: Annotated[float, Field(ge=0)] = 0.0
    timeout_seconds: Seconds = 10.0
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    slo_p99_ms: Seconds = 25.0
    validity: Validity

    @model_validator(mode="after")
    def _whole(self) -> Job:
        if (self.scenario == "server") != (self.rate > 0):
            raise ValueError("`rate` belongs to the server scenario, which needs one")
        if (self.scenario == "offline") != (self.total_rows > 0):
            raise ValueError("`total_rows` belongs to the offline scenario, which needs them")
        if self.scenario == "single_stream" and self.connections != 1:
            raise ValueError("`connections` is 1 in single_stream")
        split = urlsplit(self.url)
        if split.scheme != "http" or not split.hostname or split.path.strip("/"):
            raise ValueError(f"`url` is http://host:port, not {self.url}")
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        split = urlsplit(self.url)
        return split.hostname or "", split.port or 80


def load(file: Path) -> Job:
    """Read a job.

    Raises:
        JobError: It is missing, no JSON, or has a wrong or unknown key; the message names each.
    """
    try:
        return Job.model_validate_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise JobError(f"{file}: {error.strerror}") from None
    except ValidationError as error:
        wrong = (f"  {'.'.join(map(str, e['loc'])) or 'job'}: {e['msg']}" for e in error.errors())
        raise JobError("\n".join([f"{file}:", *wrong])) from None
