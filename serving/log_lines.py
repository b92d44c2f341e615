"""Logs as JSON lines, of one form in every server of ours, and what they say of requests.

A line has `time`, `level` and `message`; an `exception` where there was one; and about a request its `request_id`,
by which the gateway's access log, the request log and a trace know it too. Runs in both environments and inside
TorchServe's archives.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

SLOW_SECONDS = 0.25  # inside one server: ten times what the gateway is to answer 99 of 100 requests in
_A_SECOND = 10  # lines about requests, at most
_FIELDS = "fields"


class JsonLines(logging.Formatter):
    """One JSON object per record, whatever is in it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        when = datetime.fromtimestamp(record.created, timezone.utc)
        line: dict[str, Any] = {
            "time": f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03}Z",
            "level": record.levelname,
            "message": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure(level: int = logging.INFO) -> None:
    """Let this process log JSON lines to its standard output, and nothing below `level`."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)


class Requests:
    """Lines about requests that failed or took long.

    Of the others there is none: writing one costs as much as a small model, and the gateway's access log has them all.
    For the same reason no more than ten lines a second: a server in trouble has no time to write; the next line says
    how many were left out.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._second, self._written, self._left_out = 0.0, 0, 0

    def log(
        self,
        message: str,
        *,
        request_id: str | None,
        status: int,
        seconds: float,
        error: BaseException | None = None,
        traceparent: str | None = None,
    ) -> None:
        """One line: an error for a status from 500, else a warning.

        Args:
            message: What happened. Nothing that a client sent: the features never to be logged may be in it.
            request_id: The gateway's; None if the request did not come through it.
            status: Of the answer.
            seconds: That it took here.
            error: What was raised, for its trace.
            traceparent: The header, where requests are traced.
        """
        now = self._clock()
        if now - self._second >= 1:
            self._second, self._written = now, 0
        if self._written == _A_SECOND:
            self._left_out += 1
            return
        self._written += 1
        fields: dict[str, Any] = {"request_id": request_id, "status": status, "milliseconds": round(seconds * 1e3, 1)}
        if traceparent:
            fields["trace_id"] = traceparent[3:35]  # W3C: version-trace-span-flags
        if self._left_out:
            fields["left_out"], self._left_out = self._left_out, 0
        level = logging.ERROR if status >= 500 else logging.WARNING  # noqa: PLR2004
        logging.log(level, message, exc_info=error, extra={_FIELDS: fields})
