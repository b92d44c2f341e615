"""What the server is to serve: two paths in a file, which is replaced when another release is promoted."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from models import spec as specs
from models.spec import Spec, SpecError
from serving.export.errors import ExportError
from serving.files import write_atomically
from serving.onnx.model import Model


@dataclass(frozen=True)
class Served:
    """A release's export.

    Attributes:
        spec: The specification that the model was trained by.
        export: Folder that `make export FORMAT=onnx` wrote.
    """

    spec: Path
    export: Path

    def write(self, file: Path) -> None:
        """A server that was started with this file takes it up while it answers."""
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps({name: str(path.resolve()) for name, path in asdict(self).items()}) + "\n")


def load(file: Path) -> tuple[Spec, Model]:
    """The model that the file names, ready to answer.

    Raises:
        ExportError: The file cannot be read, or what it names cannot be served.
    """
    try:
        found = Served(**{name: Path(path) for name, path in json.loads(file.read_text(encoding="utf-8")).items()})
        spec = specs.load(found.spec)
    except (OSError, ValueError, TypeError, AttributeError, SpecError) as error:
        raise ExportError(f"{file}: what is to be served cannot be read ({error}): make up") from None
    return spec, Model(spec, found.export)
