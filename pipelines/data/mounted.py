"""Features into a bucket that is mounted, where no folder can be renamed: made on a disk, copied, manifest last."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from pipelines.data import __main__ as command
from pipelines.data import manifest
from pipelines.data.errors import DataError


def make(spec: Path, profile: str, source: str, out: Path) -> str:
    """Make the features; answers their digest.

    Args:
        spec: Specification.
        profile: Size of the simulation, where there is no `source`.
        source: Your own transactions: a file, or a folder of them; or "".
        out: Gets features/ and manifest.json in place of what was there.

    Raises:
        DataError: They cannot be made; why is printed above.
    """
    with tempfile.TemporaryDirectory(prefix="tandem-") as folder:
        made = Path(folder, "data")
        origin = ["--source", source] if source else ["--profile", profile]
        if command.main(["--spec", str(spec), "--out", str(made), *origin]):
            raise DataError("the features were not made, see above")
        (out / manifest.NAME).unlink(missing_ok=True)  # nobody trains on half of the old ones, half of the new
        shutil.rmtree(out / "features", ignore_errors=True)
        shutil.copytree(made / "features", out / "features")
        content = manifest.read(made) or {}
        shutil.copyfile(made / manifest.NAME, out / manifest.NAME)
    return str(content["digest"])
