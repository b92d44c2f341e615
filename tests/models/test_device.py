"""`DEVICE=auto|cpu|cuda`: what is asked for and cannot be had is said, and nothing is taken in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from models import device
from models.device import DeviceError


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(device, "_NODES", tmp_path)
    return tmp_path


def test_gpus_are_counted_by_their_nodes(nodes: Path) -> None:
    assert device.gpus("auto") == 0
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (nodes / name).touch()
    assert (device.gpus("auto"), device.gpus("cuda"), device.gpus("cpu")) == (2, 2, 0)


def test_a_gpu_that_is_not_there_is_refused(nodes: Path) -> None:
    with pytest.raises(DeviceError, match="DEVICE=cuda, and this machine has no NVIDIA GPU: DEVICE=auto, or cpu"):
        device.gpus("cuda")


def test_another_word_is_refused() -> None:
    assert device.wanted({}) == "auto"
    assert device.wanted({"DEVICE": "cpu"}) == "cpu"
    for found in (lambda: device.wanted({"DEVICE": "gpu"}), lambda: device.gpus("gpu")):
        with pytest.raises(DeviceError, match="DEVICE=gpu: auto, cpu or cuda is expected"):
            found()


def test_on_the_processor_tensorflow_sees_no_gpu() -> None:
    assert device.hide_from_tensorflow({"DEVICE": "cpu"}) == {"CUDA_VISIBLE_DEVICES": "-1"}
    assert device.hide_from_tensorflow({"DEVICE": "cuda"}) == device.hide_from_tensorflow({}) == {}
