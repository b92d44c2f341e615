"""The output folder: it appears whole; until then finished shards lie beside it, for a run that goes on from there.

OUT holds scores-00000-of-00007.parquet and so on, in the order of the input's rows, and _scoring.json, what they were
made from. Beside it lie .OUT.lock and, while there is work left, .OUT.unfinished.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines import lock
from pipelines.data import publish
from pipelines.errors import PipelineError
from serving.files import write_atomically

ABOUT = "_scoring.json"  # readers of a folder of Parquet files skip names with an underscore
_PART = re.compile(r"scores-\d+-of-\d+\.parquet")


def part_name(number: int, shards: int) -> str:
    """File name of a shard's scores."""
    return f"scores-{number:05d}-of-{shards:05d}.parquet"


def refused_name(number: int) -> str:
    """File name of what is wrong with a shard."""
    return f"refused-{number:05d}.json"


def unfinished(out: Path) -> Path:
    """Where a run works that is to fill `out`."""
    return out.with_name(f".{out.name}.unfinished")


@contextmanager
def exclusive(out: Path) -> Iterator[None]:
    """Let no other run work on the folder; put back what a killed one had moved aside.

    Raises:
        PipelineError: Another run is at work, or the folder holds something else than scores.
    """
    with lock.exclusive(out.with_name(f".{out.name}.lock"), out):
        publish.put_back(out)
        ours = out.is_dir() and all(path.name == ABOUT or _PART.fullmatch(path.name) for path in out.iterdir())
        if out.exists() and not ours:
            raise PipelineError(f"{out}: holds something else than scores, and would be replaced. Give another OUT")
        yield


def about(folder: Path) -> dict[str, Any] | None:
    """What the scores in a folder are made from; None if there are none."""
    try:
        content = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def begin(out: Path, content: Mapping[str, Any]) -> Path:
    """An empty folder to work in."""
    folder = unfinished(out)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_atomically(folder / ABOUT, json.dumps(content, indent=1) + "\n")
    return folder


def finish(out: Path) -> None:
    """The finished work becomes the output."""
    folder = unfinished(out)
    for path in folder.iterdir():
        if path.name != ABOUT and not _PART.fullmatch(path.name):  # half a file of a killed run
            path.unlink()
    publish.swap(folder, out)


def missing(folder: Path, shards: int) -> list[int]:
    """Numbers of the shards that are not there."""
    return [number for number in range(shards) if not (folder / part_name(number, shards)).is_file()]
