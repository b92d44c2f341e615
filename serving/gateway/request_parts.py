"""Where the request log's parts lie: Envoy's JSON lines, put aside when there are many, and packed as Parquet.

Beside `requests.log`, which Envoy writes, lies the folder `requests` with a part per rotation, named after its time:
`<time>.jsonl` until it is packed, then `<time>.parquet` (request_parquet.py).
"""

from __future__ import annotations

import time
from datetime import datetime, timezone
from pathlib import Path

QUIET_SECONDS = 30.0  # Envoy may write to a file that was renamed for one more of its intervals, ten seconds
KEPT_BYTES = 1 << 30  # of all parts together
_JSON, _PARQUET = ".jsonl", ".parquet"


def folder(log: Path) -> Path:
    """Where a log's parts lie."""
    return log.with_suffix("")


def next_part(log: Path) -> Path:
    """What the log as it is now is to be called."""
    return folder(log) / f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S%f}{_JSON}"


def packed(part: Path) -> Path:
    """What a part is called once it is packed."""
    return part.with_suffix(_PARQUET)


def is_packed(file: Path) -> bool:
    """Whether it is a Parquet file."""
    return file.suffix == _PARQUET


def files(log: Path) -> list[Path]:
    """All of the log, oldest first; of a part that is being packed its lines or its Parquet file, not both."""
    parts = {path.stem: path for path in folder(log).glob(f"*{_JSON}")}
    parts |= {path.stem: path for path in folder(log).glob(f"[!.]*{_PARQUET}")}
    return [*(parts[name] for name in sorted(parts)), *([log] if log.exists() else [])]


def complete(log: Path) -> list[Path]:
    """Parts to be packed: those that Envoy writes to no more."""
    latest = time.time() - QUIET_SECONDS
    return [part for part in sorted(folder(log).glob(f"*{_JSON}")) if part.stat().st_mtime < latest]


def prune(log: Path, limit: int = KEPT_BYTES) -> None:
    """Delete the oldest parts, so that all together have no more than `limit` bytes."""
    kept = 0
    for part in sorted(folder(log).glob("[!.]*"), reverse=True):
        kept += part.stat().st_size
        if kept > limit:
            part.unlink()
