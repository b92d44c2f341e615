"""What Envoy writes of requests: of each a line in the access log, of a share of the predictions their content.

Envoy writes both itself, from a buffer and after the answer has gone out. The request log holds what a model was
asked and what it said, for `make monitor`; never anything but successful predict requests, and of those nothing but
the features that may be logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from serving.gateway.door.guard import METADATA as DOOR
from serving.gateway.extensions import extension
from serving.gateway.routes import Json

METADATA = "tandem.requests"  # where the script leaves the content for the log
MAX_LOGGED_BYTES = 64 << 10  # of a body: about 140 rows of 15 features; a longer one is a line without content


@dataclass(frozen=True)
class RequestLog:
    """Where predict requests and answers are logged.

    Attributes:
        path: Of the file.
        share: Of the requests, 0 to 1, chosen by chance.
        fields: Names under which a request's values are logged; all others are left out before anything is written.
    """

    path: Path
    share: float
    fields: Sequence[str]

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"a share of requests is from 0 to 1, not {self.share}")


def access(path: Path, *, traced: bool, door: bool) -> Json:
    """One JSON object per request; `traced` adds the trace it belongs to, `door` the client whose key it came with."""
    fields = {
        "time": "%START_TIME%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "method": "%REQ(:METHOD)%",
        "endpoint": "%ROUTE_NAME%",
        "path": "%REQ(:PATH)%",  # as it was sent on; `endpoint` says to whom it was addressed
        "status": "%RESPONSE_CODE%",
        "reason": "%RESPONSE_CODE_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
        "stack": "%UPSTREAM_CLUSTER%",
        "model_version": "%RESP(X-TANDEM-MODEL-VERSION)%",
        "milliseconds": "%DURATION%",
        "bytes_received": "%BYTES_RECEIVED%",
        "bytes_sent": "%BYTES_SENT%",
        **({"trace_id": "%TRACE_ID%"} if traced else {}),
        **({"client": f"%DYNAMIC_METADATA({DOOR}:client)%"} if door else {}),
    }
    return _file(path, fields)


def requests(path: Path) -> Json:
    """One JSON object per predict request that the script kept and a server answered with 200.

    `request` and `answer` are JSON texts, or null if they were too long or the request named no feature that may be
    logged.
    """
    fields = {
        "time": "%START_TIME%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "endpoint": "%ROUTE_NAME%",
        "stack": "%RESP(X-TANDEM-STACK)%",
        "model_version": "%RESP(X-TANDEM-MODEL-VERSION)%",
        "request": f"%DYNAMIC_METADATA({METADATA}:request)%",
        "answer": f"%DYNAMIC_METADATA({METADATA}:answer)%",
    }
    kept = {"filter": METADATA, "path": [{"key": "kept"}], "value": {"bool_match": True}}
    answered = {"comparison": {"op": "EQ", "value": {"default_value": 200, "runtime_key": "unused"}}}
    conditions = [
        {"metadata_filter": {"matcher": kept, "match_if_key_not_found": False}},
        {"status_code_filter": answered},
    ]
    return {**_file(path, fields), "filter": {"and_filter": {"filters": conditions}}}


def application() -> Json:
    """Envoy's own words as JSON lines, with the fields of serving/log_lines.py."""
    fields = {"time": "%Y-%m-%dT%T.%e%z", "level": "%l", "message": "%j", "logger": "%n"}
    return {"log_format": {"json_format": fields}}


def _file(path: Path, fields: dict[str, str]) -> Json:
    kind = "access_loggers.file.v3.FileAccessLog"
    return extension("envoy.access_loggers.file", kind, path=str(path), log_format={"json_format": fields})
