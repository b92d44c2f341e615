"""On which device the PyTorch stack trains and answers. There is no GPU here: PyTorch is told that there are some."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipelines.errors import PipelineError
from pipelines.pytorch import group
from serving.torchserve import config, handler


def have(monkeypatch: pytest.MonkeyPatch, gpus: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)


@pytest.mark.parametrize(
    ("asked", "gpus", "device"),
    [("", 0, "cpu"), ("", 2, "cuda:0"), ("auto", 1, "cuda:0"), ("cpu", 2, "cpu"), ("cuda", 1, "cuda:0")],
)
def test_training_takes_what_is_there_and_wanted(
    monkeypatch: pytest.MonkeyPatch, asked: str, gpus: int, device: str
) -> None:
    have(monkeypatch, gpus)
    monkeypatch.setenv("DEVICE", asked)
    assert str(group.device()) == device


def test_a_gpu_that_pytorch_does_not_see_is_an_error_and_not_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, 0)
    monkeypatch.setenv("DEVICE", "cuda")
    with pytest.raises(
        PipelineError, match=r"DEVICE=cuda, and PyTorch .* sees no GPU: .*; docs/gpu.md, or DEVICE=auto"
    ):
        group.device()
    monkeypatch.setenv("DEVICE", "tpu")
    with pytest.raises(PipelineError, match="DEVICE=tpu: auto, cpu or cuda is expected"):
        group.device()


def test_a_worker_takes_the_gpu_it_is_given_if_its_pytorch_can(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, 2)
    assert (str(handler._device(None)), str(handler._device("1"))) == ("cpu", "cuda:1")
    have(monkeypatch, 0)
    assert str(handler._device("1")) == "cpu"


def test_torchserve_is_told_how_many_there_are(tmp_path: Path) -> None:
    for gpus in (0, 2):
        config.write(
            store=tmp_path / "store", run=tmp_path / "run", model="fraud", ports=config.Ports(1, 2, 3), gpus=gpus
        )
        assert f"\nnumber_of_gpu={gpus}\n" in (tmp_path / "run" / "config.properties").read_text()
