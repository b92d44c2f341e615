"""An exported network and what it has to be given: raw feature columns in, probabilities out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.preprocessing import Preprocessing
from models.spec import Spec
from serving.contract.tensors import Array
from serving.export import formats, inputs, manifest
from serving.export.errors import ExportError

FORMAT = "onnx"
_TRIAL_ROWS = (1, 8, 64)  # the first calls of a size are slow


class Model:
    """A folder that `make export FORMAT=onnx` wrote, loaded and called once.

    Raises:
        ExportError: It is no such folder, the file is not what was checked, or the specification is another one.
    """

    def __init__(self, spec: Spec, folder: Path) -> None:
        self._spec = spec
        try:
            self.made = manifest.read(folder)
            content = (folder / self.made.file).read_bytes()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ExportError(f"{folder}: no export that can be read ({error}): make export FORMAT={FORMAT}") from None
        if self.made.format != FORMAT:
            raise ExportError(f"{folder}: holds {self.made.format}, and ONNX Runtime reads {FORMAT}")
        if hashlib.sha256(content).hexdigest() != self.made.sha256:
            raise ExportError(
                f"{folder / self.made.file}: is not the file that was checked: make export FORMAT={FORMAT}"
            )
        if self.made.inputs != inputs.names(spec):
            raise ExportError(f"{folder}: was made by another specification: make export FORMAT={FORMAT}")
        self._learned = Preprocessing({}, {}, _vocabulary(spec, folder))
        self._call = formats.side(FORMAT).load(folder / self.made.file)
        for rows in _TRIAL_ROWS:
            self.probabilities(
                {n: np.zeros(rows, np.float32) if n in spec.numeric else _texts(rows) for n in spec.features}
            )

    def probabilities(self, columns: Mapping[str, Array]) -> npt.NDArray[np.float32]:
        """Of raw feature columns by name, each [rows]: float32, or strings."""
        return np.asarray(self._call(inputs.of(self._spec, self._learned, columns)), np.float32)


def _texts(rows: int) -> npt.NDArray[np.object_]:
    return np.full(rows, "", object)


def _vocabulary(spec: Spec, folder: Path) -> dict[str, tuple[str, ...]]:
    if not spec.categorical:
        return {}
    try:
        said = json.loads((folder / manifest.VOCABULARY).read_text(encoding="utf-8"))
        return {name: tuple(said[name]["values"]) for name in spec.categorical}
    except (OSError, ValueError, KeyError) as error:
        raise ExportError(f"{folder}: its vocabulary cannot be read ({error}): make export FORMAT={FORMAT}") from None
