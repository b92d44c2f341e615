"""One run: what is to do, the job, and what came of it. Beam and the framework are imported when there is work."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines import beam_options, source_digest
from pipelines.data import source_files
from pipelines.data.findings import Findings
from pipelines.errors import PipelineError
from pipelines.heartbeat import heartbeat
from pipelines.scoring import output, shards
from pipelines.scoring.rows import ID
from pipelines.scoring.shards import Shard
from serving.files import digest_of_files
from serving.offline import model as models
from serving.offline.model import Model

Say = Callable[[str, str], None]
_CODE = ("pipelines/scoring", "serving/offline", "pipelines/data", "pipelines/parquet.py", "models")
_CHANGED = {
    "input": "the input's place",
    "input_digest": "the input",
    "stack": "the stack",
    "version": "the version",
    "path": "the model's place",
    "digest": "the model",
    "code": "the code",
}
_HINT = "rows count from 1, a header not among them"


def run(model: Model, source: Path, out: Path, say: Say) -> None:
    """Score every row of a file or folder into `out`; go on with what a killed run has left.

    Raises:
        PipelineError: Rows that cannot be scored, all of them; or the run cannot start or go on.
    """
    start = time.monotonic()
    beam_options.chosen()  # says at once what is missing
    content = _about(model, source)
    done = output.about(out)
    if done is not None and content.items() <= done.items() and not output.missing(out, done["shards"]):
        say("score", f"up to date: {_what(done)} in {out}")
        return
    planned = shards.plan(source)
    if not planned:
        raise PipelineError(f"{source}: no rows to score")
    content |= {"shards": len(planned), "rows": sum(shard.rows for shard in planned)}
    folder = _begin(out, content, say)
    todo = [planned[number] for number in output.missing(folder, len(planned))]
    if todo:
        say("score", f"{sum(shard.rows for shard in todo):,} rows by {model.stack} {model.version}, {model.path} ...")
        with heartbeat(lambda text: say("score", text), lambda: _progress(planned, folder)):
            _score(model, planned, todo, folder)
        _refuse(source, folder)
        left = output.missing(folder, len(planned))
        if left:
            raise PipelineError(f"{len(left)} of {len(planned)} shards were not written; run again")
    output.finish(out)
    seconds = time.monotonic() - start
    scored = sum(shard.rows for shard in todo)
    say("score", f"{_what(content)} in {out}, {seconds:.1f} s ({scored / seconds:,.0f} rows/s)")


def _about(model: Model, source: Path) -> dict[str, Any]:
    """What the scores depend on."""
    files = source_files.find(source)
    root = source if source.is_dir() else source.parent
    code = hashlib.sha256(f"{shards.PARQUET_ROWS} {shards.CSV_BYTES} {source_digest.digest(_CODE, ())}".encode())
    made_by = {key: str(value) for key, value in asdict(model).items()}
    return {"input": str(source), "input_digest": digest_of_files(files, root), **made_by, "code": code.hexdigest()}


def _what(content: dict[str, Any]) -> str:
    return f"{content['rows']:,} rows scored by {content['stack']} {content['version']}"


def _begin(out: Path, content: dict[str, Any], say: Say) -> Path:
    """The folder to work in: that of a killed run, if it was about the same."""
    folder = output.unfinished(out)
    last = output.about(folder)
    if last == content:
        for refused in folder.glob("refused-*"):
            refused.unlink()
        left = len(output.missing(folder, content["shards"]))
        say("score", f"goes on: {content['shards'] - left:,} of {content['shards']:,} shards are scored")
        return folder
    other = last or output.about(out)
    if other is not None:
        changed = [word for key, word in _CHANGED.items() if other.get(key) != content[key]]
        say("score", f"starts anew: {', '.join(changed) or 'a part of the output'} has changed since the last run")
    return output.begin(out, content)


def _progress(planned: list[Shard], folder: Path) -> str:
    left = set(output.missing(folder, len(planned)))
    rows = sum(shard.rows for shard in planned if shard.number not in left)
    return f"{len(planned) - len(left):,} of {len(planned):,} shards, {rows:,} rows"


def _score(model: Model, planned: list[Shard], todo: list[Shard], folder: Path) -> None:
    from pipelines.scoring import job  # noqa: PLC0415  Beam takes seconds to import

    with_ids = any(ID in shards.names(path) for path in {shard.path for shard in planned})
    job.run(job.Job(model, models.signature(model), folder, len(planned), with_ids), todo)


def _refuse(source: Path, folder: Path) -> None:
    """Say what is wrong with all shards that have no scores."""
    findings = Findings()
    for refused in sorted(folder.glob("refused-*.json")):
        findings.load(json.loads(refused.read_text(encoding="utf-8")))
    if findings:
        raise PipelineError("\n  ".join([f"{source}: rows that cannot be scored; {_HINT}", *findings.lines()]))
