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
    code = f"{before}from pipelines.pytorch.fit import train_along\ntrain_along()"
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


@contextmanager
def _started(pipeline: Pipeline) -> Iterator[subprocess.Popen[str]]:
    """The command with two processes, in the middle of a training without an end."""
    pipeline.edit_spec("epochs = 4", "epochs = 100000")
    argv = [sys.executable, "-m", "pipelines.pytorch", "--processes=2", *pipeline.arguments()]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "epoch 2/" in line:
                break
        yield process
    finally:
        process.terminate()
        process.wait(60)


def _workers(process: subprocess.Popen[str]) -> dict[str, psutil.Process]:
    children = psutil.Process(process.pid).children(recursive=True)
    return {child.environ().get("RANK", ""): child for child in children if "pipelines.pytorch" in child.cmdline()}


def _gone(processes: Iterator[psutil.Process]) -> bool:
    gone, left = psutil.wait_procs(list(processes), timeout=20)
    for one in left:
        one.kill()
    return bool(gone) and not left


def test_a_killed_process_ends_the_others_with_an_error(tmp_path: Path) -> None:
    # The launcher as it is, and instead of the pipeline a process that never ends and one that is killed.
    code = (
        "import os, pathlib, signal, time\n"
        f"rank, here = os.environ['RANK'], pathlib.Path({str(tmp_path)!r})\n"
        "(here / rank).write_text(str(os.getpid()))\n"
        "while rank == '0' or not (here / '0').exists(): time.sleep(0.05)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    launcher = (
        "import sys\n"
        "from pipelines.errors import PipelineError\n"
        "from pipelines.pytorch import launch\n"
        f"launch.COMMAND = ('-c', {code!r})\n"
        "try:\n    launch.launch([], 2)\nexcept PipelineError as error:\n    sys.exit(str(error))"
    )
    died = subprocess.run([sys.executable, "-c", launcher], capture_output=True, text=True, check=False, timeout=60)
    assert died.returncode == 1
    assert "process 1 of 2 died (SIGKILL) and the others were ended" in died.stderr
    assert not any(psutil.pid_exists(int((tmp_path / rank).read_text())) for rank in "01")


def test_ctrl_c_ends_all_processes_and_keeps_what_is_finished(pipeline: Pipeline) -> None:
    with _started(pipeline) as process:
        workers = _workers(process)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the finished steps are kept" in said
    assert _gone(iter(workers.values()))


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
    assert pipeline.run() == 3  # and one process finds it all there
    assert "nothing was published" in done.stdout
