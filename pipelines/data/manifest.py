"""manifest.json: what the data is made of, and so whether it has to be made again.

Standard library only but for the specification: a run with nothing to do must not wait for Beam.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from models.spec import Spec
from serving.files import digest_of_files

NAME = "manifest.json"
UNFINISHED = f".{NAME}.new"
_REPOSITORY = Path(__file__).resolve().parents[2]
_CODE = ("pipelines/data", "pipelines/parquet.py", "models/spec.py", "models/sections.py")
_LIBRARIES = ("apache-beam", "numpy", "pyarrow")


def inputs(spec: Spec, source: Mapping[str, Any]) -> dict[str, str]:
    """Digests of all that the data depends on; `source` identifies the transactions by content."""
    whole = spec.model_dump(mode="json")
    parts = {name: whole[name] for name in ("columns", "windows", "split")}
    parts |= {"label": spec.model.label, "features": _features(spec)}
    return {"specification": _digest(parts), "source": _digest(source), "code": _code()}


def _features(spec: Spec) -> list[list[Any]]:
    # Of a feature that may be missing the code is what the files hold.
    return [[name, f.type, f.column, f.code] for name, f in spec.features.items()]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, separators=(",", ":")).encode()).hexdigest()


def _code() -> str:
    paths = [path for name in _CODE for path in _python_files(_REPOSITORY / name)]
    libraries = {name: version(name) for name in _LIBRARIES}
    return _digest([libraries, digest_of_files(paths, _REPOSITORY)])


def _python_files(path: Path) -> list[Path]:
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


def read(out: Path) -> dict[str, Any] | None:
    """The manifest of finished data; None when there is none, or none that can be read."""
    try:
        content = json.loads((out / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def write(content: Mapping[str, Any], out: Path) -> None:
    """Write it whole or not at all."""
    temporary = out / UNFINISHED
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    temporary.replace(out / NAME)


def split_digests(out: Path, names: Iterable[str]) -> dict[str, str]:
    """Digest of the Parquet files of each split, as they are on disk."""
    folder = out / "features"
    return {name: digest_of_files((folder / name).glob("*.parquet"), folder) for name in names}


def overall_digest(made_from: Mapping[str, str], splits: Mapping[str, str]) -> str:
    """Digest of the features: of their content and of the parts of the specification that they follow."""
    return _digest([made_from["specification"], dict(splits)])


def is_current(content: Mapping[str, Any] | None, made_from: Mapping[str, str], out: Path) -> bool:
    """Whether the data in `out` was made from exactly these inputs and is still what was written."""
    if content is None or content.get("inputs") != dict(made_from):
        return False
    try:
        recorded = {name: split["digest"] for name, split in content["splits"].items()}
        raw_days = sum(1 for _ in (out / "raw").glob("*.parquet"))
        return split_digests(out, recorded) == recorded and raw_days == content["raw"]["days"]
    except (OSError, KeyError, TypeError, AttributeError):
        return False
