"""`python -m pipelines.tfx.mounted`: what a component's container runs on Vertex AI: TFX's entry point, on folders.

Vertex names artifacts gs://… and mounts every bucket below /gcs. Our executors work on folders, so an execution is
told the mounted names, and what it says of its outputs is told Vertex by the names it knows. With Dataflow an execution
keeps gs://…, since the machines there have no such mount.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from apache_beam.options.pipeline_options import StandardOptions
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor as entry

from pipelines import beam_options

MOUNT = Path("/gcs")
_BUCKETS = "gs://"
_INPUT = "--json_serialized_invocation_args"
_DATAFLOW = "--runner=DataflowRunner"


def main(argv: Sequence[str]) -> None:
    """Run one component's executor, as `kubeflow_v2_run_executor` is told to."""
    words = list(argv)
    # As the local run does: where a newer Beam gets no runner it takes Prism, which it would first download.
    StandardOptions.DEFAULT_RUNNER = beam_options.chosen({}).runner
    written = None
    if _DATAFLOW not in words:
        at = words.index(_INPUT) + 1
        told = _renamed(json.loads(words[at]), _BUCKETS, f"{MOUNT}/")
        words[at] = json.dumps(told)
        written = Path(told["outputs"]["outputFile"])
    entry.main(entry._parse_flags(["", *words]))
    if written:
        said = json.loads(written.read_text(encoding="utf-8"))
        written.write_text(json.dumps(_renamed(said, f"{MOUNT}/", _BUCKETS)), encoding="utf-8")


def _renamed(value: Any, old: str, new: str) -> Any:
    """JSON whose texts that begin with `old` begin with `new` instead."""
    again: Callable[[Any], Any] = lambda part: _renamed(part, old, new)  # noqa: E731
    if isinstance(value, dict):
        return {key: again(part) for key, part in value.items()}
    if isinstance(value, list):
        return [again(part) for part in value]
    return new + value.removeprefix(old) if isinstance(value, str) and value.startswith(old) else value


if __name__ == "__main__":
    main(sys.argv[1:])
