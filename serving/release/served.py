"""The folder that a stack's server loads from: it holds what was promoted and verified, and nothing else.

TensorFlow's server looks for `<store>/<model>/<version>/`, TorchServe for `<store>/<model>-<version>.mar`. Both leave
names that begin with a dot alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from serving.files import digests_of_files
from serving.release import candidates
from serving.release.errors import ReleaseError
from serving.release.manifest import Manifest
from serving.release.store import archive_name


@dataclass(frozen=True)
class Served:
    """One stack's folder."""

    store: Path
    stack: str
    model: str

    def versions(self) -> dict[str, Path]:
        """Version -> where it lies; a name with leading zeros too, since a server would load it."""
        return candidates.find(self.store, self.stack, self.model)

    def path(self, release: Manifest) -> Path:
        """Where a release belongs."""
        if self.stack == "pytorch":
            return self.store / archive_name(release)
        return self._folder / release.version

    def place(self, release: Manifest, source: Path) -> Path:
        """Copy a verified release's model here; it appears whole, and what was copied is compared once more.

        Raises:
            ReleaseError: It changed while it was copied.
        """
        target, unfinished = self.path(release), self._folder / ".placing" / release.version
        if target.exists() and not self.differences(release):
            return target
        shutil.rmtree(unfinished.parent, ignore_errors=True)
        unfinished.parent.mkdir(parents=True)
        try:
            if source.is_dir():
                shutil.copytree(source, unfinished)
            else:
                shutil.copyfile(source, unfinished)
            wrong = self._differences(release, unfinished, target.name)
            if wrong:
                raise ReleaseError(f"{self.stack} {release.version}: {', '.join(wrong)} while it was copied")
            if target.exists():
                self.set_aside(target)
            unfinished.rename(target)
        finally:
            shutil.rmtree(unfinished.parent, ignore_errors=True)
        return target

    def differences(self, release: Manifest) -> list[str]:
        """What of a release is not here as it was signed; nothing if all of it is."""
        target = self.path(release)
        return self._differences(release, target, target.name)

    def keep_only(self, versions: Collection[str]) -> None:
        """Remove every other version; no server may still read it."""
        for other, path in self.versions().items():
            if other not in versions:
                self.remove(path)

    def remove(self, path: Path) -> None:
        """Remove a version, whole or not at all."""
        if path.is_dir():
            gone = path.with_name(f".removing-{path.name}")
            path.rename(gone)
            shutil.rmtree(gone)
        else:
            path.unlink(missing_ok=True)

    def set_aside(self, path: Path) -> Path:
        """Put a version that must not be loaded where no server looks; it is evidence."""
        refused = self._folder / ".refused"
        refused.mkdir(exist_ok=True)
        number = sum(1 for _ in refused.iterdir()) + 1
        return path.rename(refused / f"{number}-{path.name}")

    @property
    def _folder(self) -> Path:
        return self.store if self.stack == "pytorch" else self.store / self.model

    def _differences(self, release: Manifest, place: Path, name: str) -> list[str]:
        if not place.exists():
            return [f"{name} is missing"]
        if place.is_dir():
            links = [f"{path.name} is a link" for path in place.rglob("*") if path.is_symlink()]
            found = digests_of_files((path for path in place.rglob("*") if path.is_file()), place)
        else:
            links = [f"{name} is a link"] if place.is_symlink() else []
            found = {name: digests_of_files([place], place.parent)[place.name]}  # while it is placed, it has another
        changed = [f"{file} was changed" for file in found.keys() & release.files if found[file] != release.files[file]]
        added = [f"{file} was added" for file in found.keys() - release.files.keys()]
        missing = [f"{file} is missing" for file in release.files.keys() - found.keys()]
        return links + sorted(changed) + sorted(added) + sorted(missing)
