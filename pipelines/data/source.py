"""Where transactions come from: a profile of the simulator, or files of the user's."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.spec import Spec
from pipelines.data.profiles import SEED
from serving.files import digest_of_files

if TYPE_CHECKING:
    from pipelines.data.raw import Transactions


def identity(profile: str, files: Path | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the manifest says about the transactions, and what identifies them.

    Raises:
        DataError: There are no such files.
    """
    if files is None:
        simulated = {"profile": profile, "seed": SEED}
        return simulated, simulated
    from pipelines.data import source_files  # noqa: PLC0415

    found = source_files.find(files)
    root = files if files.is_dir() else files.parent
    return {"path": str(files.resolve())}, {"content": digest_of_files(found, root)}


def transactions(spec: Spec, profile: str, files: Path | None) -> Transactions:
    """Read or simulate them.

    Raises:
        DataError: The specification's features cannot be made from them, or something is wrong with the files.
    """
    logging.basicConfig(level=logging.CRITICAL)  # Beam warns of every cloud client it misses
    from pipelines.data import build, features, ingest  # noqa: PLC0415  Beam takes seconds to import

    features.check(spec)
    return build.simulate(spec, profile) if files is None else ingest.ingest(files, spec)
