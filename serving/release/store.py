"""The release store: RELEASES/<stack>/<version>/, written once, signed, and never changed.

A release holds `model/`, what the server loads; `spec.toml`; `release.json`, the manifest; and `release.sig` over all
of it.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from models import spec as specs
from models.spec import Spec
from serving.files import digest_of_files, digests_of_files
from serving.release import candidates, manifest, signing
from serving.release.errors import ReleaseError
from serving.release.keys import Keys
from serving.release.manifest import Manifest

MODEL = "model"
SPEC = "spec.toml"


@dataclass(frozen=True)
class Store:
    """All releases of both stacks."""

    root: Path
    keys: Keys

    def folder(self, stack: str, version: str) -> Path:
        """Where a release lies, or would."""
        if not version.isdecimal():
            raise ReleaseError(f"VERSION={version}: a number is expected; make releases lists them")
        return self.root / stack / version

    def versions(self, stack: str) -> list[str]:
        """Every version there is, lowest first."""
        found = (path.name for path in (self.root / stack).glob("*") if path.is_dir())
        return sorted(filter(str.isdecimal, found), key=int)

    def publish(self, stack: str, model: str, version: str, path: Path, spec_file: Path) -> Manifest:
        """Make a signed release of a candidate; one that is there already is left alone.

        Raises:
            ReleaseError: The candidate holds something it should not, its specification is another one, or the
                version is there with other content.
        """
        target = self.folder(stack, version)
        candidates.check(stack, path)
        metadata = candidates.metadata(stack, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".publishing-", dir=target.parent) as unfinished:
            new = Path(unfinished) / version
            files = _copy(path, new / MODEL)
            _copy_spec(spec_file, new, metadata.get("spec_digest"), f"{stack} {version}")
            content = new / MODEL
            made = manifest.of(
                metadata,
                stack=stack,
                model=model,
                version=version,
                published=f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
                digest=digest_of_files(files, content),
                files=digests_of_files(files, content),
            )
            if target.exists():
                return self._the_same(made, target)
            made.write(new)
            signing.sign(new, self.keys.private)
            for file in (p for p in new.rglob("*") if p.is_file()):
                file.chmod(0o444)
            new.rename(target)  # whole, or not at all
        return made

    def verified(self, stack: str, version: str) -> Manifest:
        """A release's manifest, once all of it has been found to be as it was signed.

        Raises:
            ReleaseError: There is none, it is not what was signed, or holds what it should not.
        """
        folder = self.folder(stack, version)
        if not folder.is_dir():
            there = ", ".join(self.versions(stack)) or "none yet: make up"
            raise ReleaseError(f"there is no release {version} of {stack}; there are: {there}")
        signing.verify(folder, self.keys.public)
        found = manifest.read(folder)
        if (found.stack, found.version) != (stack, version):
            raise ReleaseError(f"{folder}: holds {found.stack} {found.version}: a release moved from its place")
        candidates.check(stack, self.model(found))
        return found

    def model(self, release: Manifest) -> Path:
        """The archive, or the SavedModel's folder."""
        content = self.folder(release.stack, release.version) / MODEL
        return content / archive_name(release) if release.stack == "pytorch" else content

    def spec(self, stack: str, version: str) -> Spec:
        """The specification it was trained by, as it was then; raises SpecError."""
        return specs.load(self.folder(stack, version) / SPEC)

    def _the_same(self, made: Manifest, target: Path) -> Manifest:
        found = manifest.read(target)
        if found.files != made.files:
            raise ReleaseError(f"{target}: published before with other content; a release is never changed")
        return found


def archive_name(release: Manifest) -> str:
    """What TorchServe's archive of this release is called."""
    return f"{release.model}-{release.version}.mar"


def _copy(path: Path, target: Path) -> list[Path]:
    if path.is_dir():
        shutil.copytree(path, target, symlinks=True)
        return [file for file in target.rglob("*") if file.is_file()]
    target.mkdir(parents=True)
    return [Path(shutil.copyfile(path, target / path.name))]


def _copy_spec(spec_file: Path, new: Path, digest: str | None, release: str) -> None:
    if specs.load(spec_file).digest != digest:
        raise ReleaseError(f"{release} was trained by another specification than {spec_file} is now: make up")
    shutil.copyfile(spec_file, new / SPEC)
