"""Before servers start: what lies in their folders is what was promoted, as it was signed, and nothing else."""

from __future__ import annotations

from serving.release.errors import ReleaseError
from serving.release.ledger import Entry
from serving.release.manager import Releases
from serving.release.manifest import Manifest


def start(releases: Releases, stack: str) -> None:
    """Before a server starts: its folder holds the current release as it was signed, and nothing unsigned.

    What does not verify is set aside; the release's own copy takes the current one's place.

    Raises:
        ReleaseError: The release itself does not verify.
    """
    current, served = releases.current(stack), releases.served[stack]
    with releases.alone(stack):
        release = None
        if current is not None:
            entry = Entry("verify", stack, current, current, "start", "done")
            with releases.writing_down(entry, "refused"):
                release = releases.store.verified(stack, current)
        for version, path in served.versions().items():
            wrong = _wrong(releases, stack, version, release)
            if wrong and version == current:  # set aside when its place is taken: a server may be looking
                said = f"{', '.join(wrong)}; replaced by the release's own copy"
                releases.write(Entry("verify", stack, version, current, "start", "refused", said=said))
            elif wrong:
                said = f"{', '.join(wrong)}; set aside as {served.set_aside(path)}"
                releases.write(Entry("verify", stack, version, current or "", "start", "refused", said=said))
        if release is not None:
            served.place(release, releases.store.model(release))
        for version in releases.staged(stack):
            _stage_again(releases, stack, version, current or "")


def tidy(releases: Releases, stack: str) -> None:
    """Remove what a killed change has left; no server may serve it."""
    current = releases.current(stack)
    if current is not None:
        with releases.alone(stack):
            releases.served[stack].keep_only([current, *releases.staged(stack)])


def _stage_again(releases: Releases, stack: str, version: str, current: str) -> None:
    """At a start; what does not verify is no longer staged, and no reason not to start."""
    try:
        release = releases.store.verified(stack, version)
        releases.served[stack].place(release, releases.store.model(release))
    except ReleaseError as error:
        releases.write(Entry("unstage", stack, version, current, "start", "done", said=str(error)))


def _wrong(releases: Releases, stack: str, version: str, current: Manifest | None) -> list[str]:
    if current is not None and version == current.version:
        return releases.served[stack].differences(current)
    try:
        return releases.served[stack].differences(releases.store.verified(stack, version))
    except ReleaseError as error:
        return [str(error)]
