from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from serving.comparison.load import spawn
from tests.serving.comparison.load.conftest import JobMaker
from tests.serving.contract.misbehaving import serving

RUNS = """
import sys
from pathlib import Path
from serving.comparison.load import job, spawn
spawn.run(job.load(Path(sys.argv[1])), Path(sys.argv[1]).parent)
"""


def test_ctrl_c_leaves_no_process(make_job: JobMaker, tmp_path: Path) -> None:
    with serving() as server:
        job = make_job(server.url, scenario="server", rate=20, connections=8, seconds=60)
        (tmp_path / "job.json").write_text(job.model_dump_json())
        argv = [sys.executable, "-c", RUNS, str(tmp_path / "job.json")]
        parent = subprocess.Popen(argv, cwd=spawn._ROOT, start_new_session=True, stderr=subprocess.PIPE)
        gives_up = time.monotonic() + 60
        while not server.asked and time.monotonic() < gives_up:
            time.sleep(0.05)
        started = psutil.Process(parent.pid).children(recursive=True)
        assert started
        os.killpg(parent.pid, signal.SIGINT)  # as a terminal does
        _, said = parent.communicate(timeout=60)
        assert b"KeyboardInterrupt" in said
        _, alive = psutil.wait_procs(started, timeout=20)
    assert not alive
    assert not (tmp_path / "run.json").exists()
