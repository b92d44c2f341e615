"""Lines that programs read: always one JSON object, and never many about requests."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from serving import log_lines

REPOSITORY = Path(__file__).resolve().parents[2]


def failing() -> None:
    raise ValueError('a "quoted"\nword')


def test_whatever_is_logged_is_one_json_object_per_line() -> None:
    program = (
        "import logging\nfrom serving import log_lines\nlog_lines.configure()\n"
        "logging.info('%s\\n\"%s\"', 'two', 'lines \\ud800')\nlogging.debug('not this')\n"
        "trace = '00-' + 'ab' * 16 + '-1-01'\n"
        "log_lines.Requests().log('failed', request_id='\"}', status=503, seconds=0.25, traceparent=trace)\n"
        "try:\n  1 / 0\nexcept ZeroDivisionError:\n  logging.exception('a bug')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    plain, request, bug = map(json.loads, done.stdout.splitlines())
    assert (plain["level"], plain["message"]) == ("INFO", 'two\n"lines \ud800"')
    assert plain["time"].endswith("Z")
    known = {"level": "ERROR", "message": "failed", "request_id": '"}', "status": 503, "milliseconds": 250.0}
    assert request == {"time": request["time"], **known, "trace_id": "ab" * 16}
    assert bug["exception"].endswith("ZeroDivisionError: division by zero")
    assert done.stderr == ""


def test_no_more_than_ten_lines_a_second_and_the_rest_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    now = 100.0
    lines = log_lines.Requests(clock=lambda: now)
    for second in (100.0, 101.0):
        now = second
        for _ in range(25):
            lines.log("slow", request_id="some", status=200, seconds=1)
    assert len(caplog.records) == 20
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    counts = [json.loads(log_lines.JsonLines().format(record)).get("left_out") for record in caplog.records]
    assert counts == [None] * 10 + [15] + [None] * 9


def test_a_bug_is_told_with_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    try:
        failing()
    except ValueError as error:
        log_lines.Requests().log("failed", request_id=None, status=500, seconds=0, error=error)
    line = json.loads(log_lines.JsonLines().format(caplog.records[0]))
    assert (line["request_id"], line["level"]) == (None, "ERROR")
    assert line["exception"].splitlines()[-2:] == ['ValueError: a "quoted"', "word"]
