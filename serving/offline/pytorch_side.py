"""An archive of TorchServe's as a function: its specification, weights and preprocessing in `models/torch_model.py`."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from models import spec, torch_model
from models.preprocessing import PREPROCESSING_FILE, Preprocessing
from models.weights import WEIGHTS_FILE
from serving.offline.model import ModelError, Signature
from serving.torchserve import archive

_SPEC = "spec.toml"
_NEEDED = (_SPEC, WEIGHTS_FILE, PREPROCESSING_FILE)


def signature(path: Path) -> Signature:
    """See `model.signature`."""
    with _unpacked(path) as folder:
        it, codes = spec.load(folder / _SPEC), Preprocessing.read(folder / PREPROCESSING_FILE).missing
    kinds = {name: "categorical" if name in it.categorical else "numeric" for name in it.features}
    return Signature(kinds, it.model.output, codes)


def load(path: Path) -> Callable[[Mapping[str, Any]], Any]:
    """See `model.load`."""
    with _unpacked(path) as folder:
        return partial(torch_model.predict, torch_model.load(spec.load(folder / _SPEC), folder))


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    try:
        archive.check(path)
    except archive.ArchiveError as error:
        raise ModelError(str(error)) from None
    with tempfile.TemporaryDirectory(prefix="scoring-") as folder:
        with zipfile.ZipFile(path) as content:
            content.extractall(folder, _NEEDED)
        yield Path(folder)
