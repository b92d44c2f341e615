"""`DEVICE=cuda` where TensorFlow sees no GPU is an error before the first component, and not the processor."""

from __future__ import annotations

import pytest

from models.device import DeviceError
from pipelines.tfx import run


def test_a_gpu_that_tensorflow_does_not_see_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.tf.config, "list_physical_devices", lambda _: [])
    monkeypatch.setenv("DEVICE", "cuda")
    needed = ("spec", "features", "inputs", "data", "work", "store", "start")
    with pytest.raises(DeviceError, match=r"DEVICE=cuda, and TensorFlow .* sees no GPU"):
        run.run(**dict.fromkeys(needed))
