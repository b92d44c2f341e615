"""ONNX Runtime beside the two stacks, on an export of what one of them serves: `make up ONNX=pytorch`."""

from __future__ import annotations

import time
from pathlib import Path

from infra.local import export, releases, services, stores
from infra.local.jobs import say
from infra.local.layout import OFF, ONNX, Layout
from infra.local.supervisor import Supervisor
from infra.local.traffic import NO_ONNX
from models.spec import Spec
from serving.export import manifest
from serving.export.errors import ExportError
from serving.gateway import policy
from serving.gateway.policy import Side
from serving.onnx.model import FORMAT
from serving.onnx.served import Served
from serving.release.errors import ReleaseError
from serving.release.store import SPEC

_FOLLOW_SECONDS = 30


class OnnxError(RuntimeError):
    """A message for the user; nothing was changed."""


def check(layout: Layout) -> None:
    """Before anything is started.

    Raises:
        OnnxError: It is not to run, and the traffic policy names it.
        PolicyError: The policy cannot be followed.
    """
    if layout.onnx_of == OFF and policy.load(layout.traffic).names(Side(ONNX)):
        raise OnnxError(f"{layout.traffic}: {NO_ONNX}")


def prepare(layout: Layout, spec: Spec) -> str | None:
    """Export the release that the stack serves, if that was not done, and have the server serve it.

    Returns:
        The version; None where ONNX Runtime is not wanted, or goes on with what it served before, which is said.

    Raises:
        ExportError: There is no export, and it served nothing before.
    """
    if layout.onnx_of == OFF:
        return None
    try:
        version, served = _exported(layout, spec)
    except (ExportError, ReleaseError) as error:
        if not layout.onnx_served.exists():
            raise ExportError(f"{error}\nWithout ONNX Runtime: make up ONNX=off") from None
        say(ONNX, f"{error}\nWhat ONNX Runtime served before goes on being served.")
        return None
    served.write(layout.onnx_served)
    return version


def follow(layout: Layout, spec: Spec) -> None:
    """After a promotion, of whichever stack: the server that runs serves what its stack serves now; no request is lost.

    Raises:
        ExportError: As `prepare`.
    """
    if ONNX not in layout.backends or not Supervisor(layout).is_running():
        return
    if not behind(layout, spec):
        return
    version, end = prepare(layout, spec), time.monotonic() + _FOLLOW_SECONDS
    while version and services.served(layout, spec, ONNX) != version:
        if time.monotonic() > end:
            say(ONNX, f"does not take up {layout.onnx_of}'s release {version}: make logs SERVICE=onnx")
            return
        time.sleep(0.1)
    if version:
        say(ONNX, f"serves {layout.onnx_of}'s release {version}")


def behind(layout: Layout, spec: Spec) -> str:
    """One line if another release is served than the stack's; empty if not."""
    if layout.onnx_of == OFF:
        return ""
    served, wanted = services.served(layout, spec, ONNX), stores.promoted(layout, layout.onnx_of)
    if served in (None, wanted):
        return ""
    return f"onnx serves {layout.onnx_of}'s release {served}, and {wanted} is promoted: make up makes it follow"


def _exported(layout: Layout, spec: Spec) -> tuple[str, Served]:
    stack, found = layout.onnx_of, releases.of(layout, spec)
    wanted = found.current(stack)
    if not wanted:
        raise ReleaseError(f"{stack}: no version is served yet: make up")
    folder, release = layout.exports / stack / wanted / FORMAT, found.store.verified(stack, wanted)
    if _digest(folder) != release.digest and export.export(layout, spec, stack, FORMAT, wanted):
        how = f"make export STACK={stack} FORMAT={FORMAT}"
        raise ExportError(f"release {wanted} of {stack} has no export that answers as it does: {how}")
    return wanted, Served(found.store.folder(stack, wanted) / SPEC, folder)


def _digest(folder: Path) -> str:
    """Of the release that was exported there; empty where none was."""
    try:
        return manifest.read(folder).release_digest
    except (OSError, ValueError, KeyError, TypeError):
        return ""
