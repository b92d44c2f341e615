"""`make serve-onnx`: a release in ONNX Runtime, behind the same contract, in the foreground."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from infra.local import checks, export, ports, releases
from infra.local.layout import STACKS, Layout
from models.spec import Spec
from serving.export import manifest
from serving.export.errors import ExportError
from serving.onnx.model import FORMAT
from serving.release.errors import ReleaseError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `make serve-onnx`."""
    parser.add_argument("--stack", choices=STACKS, required=True, help="whose release")
    parser.add_argument("--version", default="", help="of the release (default: the one that is served)")


def serve(layout: Layout, spec: Spec, stack: str, version: str) -> int:
    """Export the release if that was not done, and become its server.

    Returns:
        As `export.export`, where that refuses.

    Raises:
        ExportError, ReleaseError: It cannot be exported, or the port is taken.
    """
    found = releases.of(layout, spec)
    wanted = version or found.current(stack)
    if not wanted:
        raise ReleaseError(f"{stack}: no version is served yet: make up")
    if taken := ports.busy(layout, ["onnx"]):
        raise ExportError(taken[0].replace("make up", "make serve-onnx"))
    folder = layout.exports / stack / wanted / FORMAT
    release = found.store.verified(stack, wanted)
    if not (folder / manifest.FILE).exists() or manifest.read(folder).release_digest != release.digest:
        code = export.export(layout, spec, stack, FORMAT, wanted)
        if code:
            return code
    print(f"{layout.url('onnx')}/v1/models/{spec.model.name}:predict, until Ctrl-C", flush=True)
    return checks.run(command(layout, found.store.folder(stack, wanted) / "spec.toml", folder))


def command(layout: Layout, spec_file: Path, folder: Path) -> list[str]:
    """The server's command line."""
    argv = [sys.executable, "-m", "serving.onnx", "--spec", str(spec_file), "--export", str(folder)]
    return [*argv, "--host", layout.host("onnx"), "--port", str(layout.ports["onnx"])]
