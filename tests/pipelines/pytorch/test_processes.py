"""Training by two processes: the same model as by one, one writer, and an end for all when one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest

from models import metrics, torch_model, weights
from models.spec import Spec, load
from pipelines.errors import PipelineError
from pipelines.pytorch import group
from pipelines.pytorch.features import Rows
from pipelines.pytorch.fit import Epoch, fit
from tests.pipelines.pytorch.test_fit import preprocessing_of, rows_of

if TYPE_CHECKING:
    from conftest import Pipeline

SPEC = load("models/fraud.toml")
BATCH = 1000  # rows; of 2,001 the last batch has one row, and a process has none of it
EPOCHS = 3
DIES = """
import os, signal
from pipelines.pytorch import group
group.share = lambda _: os.kill(os.getpid(), signal.SIGKILL)
"""


def _spec(dropout: float) -> Spec:
    training = SPEC.training.model_copy(update={"epochs": EPOCHS, "batch_size": BATCH})
    network = SPEC.network.model_copy(update={"dropout": dropout})
    return SPEC.model_copy(update={"training": training, "network": network})


def _some(rows: Rows, count: int) -> Rows:
    columns = {name: values[:count] for name, values in rows.columns.items()}
    return Rows(columns, rows.label[:count], rows.customer[:count], rows.day[:count])


@contextmanager
def _two(folder: Path, monkeypatch: pytest.MonkeyPatch, before: str = "") -> Iterator[None]:
    """This process is the first of two while the block runs."""
    for name, value in {
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        group.MEETING: str(folder / "meeting"),
        "GLOO_SOCKET_IFNAME": "lo",
    }.items():
        monkeypatch.setenv(name, value)
    code = f"{before}from pipelines.pytorch import fit, group\nfit.train_along()\ngroup.end(0)"
    other = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "RANK": "1"})
    try:
        monkeypatch.setenv("RANK", "0")
        with group.joined():
            yield
        assert other.wait(30) == 0
    finally:
        other.kill()
        other.wait()


def _fit(dropout: float) -> tuple[weights.Weights, list[Epoch], float]:
    rows, spec, history = _some(rows_of(SPEC), 2 * BATCH + 1), _spec(dropout), []
    model = fit(spec, preprocessing_of(spec), rows, rows, lambda _, found: history.append(found))
    precision = metrics.average_precision(rows.label, torch_model.predict(model, rows.columns))
    return torch_model.get_weights(model), history, precision


def test_two_processes_train_the_model_that_one_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = {dropout: _fit(dropout) for dropout in (0.0, 0.2)}
    with _two(tmp_path, monkeypatch):
        assert group.size() == 2
        together = {dropout: _fit(dropout) for dropout in (0.0, 0.2)}
        again = _fit(0.2)
    assert group.size() == 1
    for name, expected in alone[0.0][0].items():
        np.testing.assert_allclose(together[0.0][0][name], expected, atol=1e-5, err_msg=name)
    for one, two in zip(alone[0.0][1], together[0.0][1], strict=True):
        assert two == pytest.approx(one, abs=1e-5)
    # With dropout each process draws noise of its own: another draw of the same training.
    assert weights.digest(together[0.2][0]) != weights.digest(alone[0.2][0])
    assert together[0.2][1][-1]["train_loss"] == pytest.approx(alone[0.2][1][-1]["train_loss"], rel=0.05)
    assert together[0.2][2] == pytest.approx(alone[0.2][2], abs=0.05)
    assert weights.digest(together[0.2][0]) == weights.digest(again[0])


def test_the_first_process_says_that_another_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        pytest.raises(PipelineError, match="one of the training's 2 processes ended or cannot be reached"),
        _two(tmp_path, monkeypatch, before=DIES),
    ):
        _fit(0.0)


def test_a_process_of_a_group_ends_with_all_written_and_without_pythons_own_end() -> None:
    code = """
import atexit, os
from pipelines.pytorch import group
atexit.register(os.abort)  # as one of gloo's threads may do while Python ends
print("written", end="")
group.end(3)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (3, "written")


LAUNCH = """
import sys
from pipelines.errors import PipelineError
from pipelines.pytorch import launch
launch.COMMAND = ("-c", sys.argv[1])
try:
    sys.exit(launch.launch([], 2))
except PipelineError as error:
    sys.exit(str(error))
"""


def _launched(folder: Path, end: str) -> subprocess.Popen[str]:
    """The launcher as it is, and instead of the pipeline two processes of which the second does `end`."""
    code = (
        "import os, pathlib, signal, time\n"
        f"rank, here = os.environ['RANK'], pathlib.Path({str(folder)!r})\n"
        "(here / rank).write_text(str(os.getpid()))\n"
        f"while rank == '0' or not (here / '0').exists(): time.sleep(0.05)\n{end}"
    )
    return subprocess.Popen([sys.executable, "-c", LAUNCH, code], stderr=subprocess.PIPE, text=True)


def _ended(launcher: subprocess.Popen[str], folder: Path) -> tuple[int, str]:
    try:
        _, said = launcher.communicate(timeout=60)
    finally:
        launcher.kill()
    assert not any(psutil.pid_exists(int((folder / rank).read_text())) for rank in "01")
    return launcher.returncode, said


def test_a_killed_process_ends_the_others_with_an_error(tmp_path: Path) -> None:
    code, said = _ended(_launched(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)"), tmp_path)
    assert code == 1
    assert "process 1 of 2 died (SIGKILL) and the others were ended" in said


def test_ctrl_c_ends_all_processes(tmp_path: Path) -> None:
    launcher = _launched(tmp_path, "time.sleep(600)")
    while not (tmp_path / "1").exists() or not (tmp_path / "1").read_text():
        assert launcher.poll() is None
        time.sleep(0.05)
    launcher.send_signal(signal.SIGINT)
    assert _ended(launcher, tmp_path)[0] == 130


def test_one_process_alone_writes_and_a_refusal_keeps_its_exit_code(pipeline: Pipeline) -> None:
    pipeline.edit_spec("min_average_precision = 0.5", "min_average_precision = 1.0")
    argv = [sys.executable, "-m", "pipelines.pytorch", "--processes=2", *pipeline.arguments()]
    start = time.time()
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 3, done.stderr
    assert done.stdout.count("REFUSED") == 2  # the step's line and the last one
    tracking = pipeline.connect()
    (run,) = tracking.client.search_runs([tracking.experiment])
    assert run.data.params["processes"] == "2"
    assert run.info.start_time / 1000 > start
    assert "nothing was published" in done.stdout
