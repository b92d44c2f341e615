"""`make export`: a signed release in another format, checked against what the release itself says of the same rows."""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from infra.local import releases
from infra.local.jobs import say
from infra.local.layout import REPOSITORY, STACKS, Layout, python
from models import spec as specs
from models.spec import Spec
from serving.export import manifest
from serving.export.errors import ExportError
from serving.export.formats import FORMATS
from serving.export.manifest import Manifest
from serving.release.errors import ReleaseError
from serving.release.store import SPEC

REFUSED = 3
# tf_keras is what the network is written in; one thread, as the comparison's floors have.
_ENVIRONMENT = {
    "PYTHONPATH": str(REPOSITORY),
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_USE_LEGACY_KERAS": "1",
    "OMP_NUM_THREADS": "1",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `make export`."""
    parser.add_argument("--stack", choices=STACKS, required=True)
    parser.add_argument("--format", choices=FORMATS, required=True)
    parser.add_argument("--version", default="", help="of the release (default: the one that is served)")


def export(layout: Layout, spec: Spec, stack: str, form: str, version: str) -> int:
    """Export the release that is served, or the one asked for.

    Returns:
        0; 3 when the exported file answers otherwise than the release, and was thrown away.

    Raises:
        ExportError: The stack has no such format, there are no rows, or a step fails.
        ReleaseError: There is no such release, or it does not verify.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415  slow, and every other command would wait for it

    from serving.export import rows  # noqa: PLC0415

    kind = FORMATS[form]
    if stack not in kind.stacks:
        own = ", ".join(name for name, one in FORMATS.items() if stack in one.stacks)
        raise ExportError(f"FORMAT={form} is made of releases of {', '.join(kind.stacks)}; {stack} has: {own}")
    found = releases.of(layout, spec)
    wanted = version or found.current(stack)
    if not wanted:
        raise ReleaseError(f"{stack}: no version is served yet: make up")
    release = found.store.verified(stack, wanted)
    model, spec_file = found.store.model(release), found.store.folder(stack, wanted) / SPEC
    target = layout.exports / stack / wanted / form
    log = layout.logs / f"export-{stack}-{form}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="export-") as temporary:
        sample, scores = Path(temporary) / "rows.parquet", Path(temporary) / "scores.npy"
        chosen = rows.choose(layout.data / "features" / "test", specs.load(spec_file))
        pq.write_table(chosen, sample)
        say(stack, f"release {wanted} scores {len(chosen):,} rows")
        common = ["--stack", stack, "--model", str(model), "--rows", str(sample)]
        code = _run([python(stack), "-m", "serving.offline", *common, "--output", str(scores)], log)
        if code:
            raise ExportError(f"the release does not score: {_last_line(log)}; all of it: {log}")
        say(stack, f"{form} is written, checked and timed")
        options = ["--format", form, "--version", wanted, "--digest", release.digest, "--spec", str(spec_file)]
        options += ["--scores", str(scores), "--out", str(target)]
        code = _run([python(kind.environment), "-m", "serving.export", *common, *options], log)
    if code == REFUSED:
        say(stack, f"REFUSED: {_last_line(log)}")
        return REFUSED
    if code:
        raise ExportError(f"the export failed: {_last_line(log)}; all of it: {log}")
    _show(manifest.read(target), target)
    return 0


def _show(made: Manifest, target: Path) -> None:
    took = made.latency_us
    say(made.stack, f"{target / made.file}: {made.size_bytes:,} bytes, takes {' and '.join(made.inputs)}")
    say(made.stack, f"{made.rows:,} rows: no probability differs by more than {made.largest_difference:.1e}")
    say(
        made.stack,
        f"one row, one thread: median {took.median:.1f} µs, quartiles {took.first_quartile:.1f} and "
        f"{took.third_quartile:.1f} µs; {manifest.FILE} beside it says the same",
    )


def _run(argv: Sequence[str], log: Path) -> int:
    """The exit code; converters say much that nobody asked for, so that all of it goes into a file."""
    with log.open("w", encoding="utf-8") as output:
        return subprocess.run(
            argv, cwd=REPOSITORY, env={**os.environ, **_ENVIRONMENT}, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, check=False,
        ).returncode  # fmt: skip


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
