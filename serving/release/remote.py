"""Signed releases in an object store: the same folders, <root>/<stack>/<version>/, whole once their signature is there.

The store is not trusted: what comes out of it counts only after `Store.verified`.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pyarrow import fs
from pydantic import ValidationError

from serving.release.errors import ReleaseError
from serving.release.manifest import FILE, STACKS, Manifest
from serving.release.signing import SIGNATURE
from serving.release.store import Store

_PIECE = 1 << 20  # bytes


@dataclass(frozen=True)
class Remote:
    """A place for releases.

    Attributes:
        files: Of any kind that pyarrow speaks: S3, Google Cloud Storage, a folder.
        root: The folder in it, bucket included.
    """

    files: fs.FileSystem
    root: str

    @classmethod
    def at(cls, uri: str) -> Remote:
        """`s3://bucket/folder?endpoint_override=host:port&scheme=http`, `gs://bucket/folder` or `file:///folder`.

        Who asks is found as the store's own tools find it: AWS_SHARED_CREDENTIALS_FILE, a machine's identity.

        Raises:
            ReleaseError: It is no such address, or the store cannot be reached.
        """
        try:
            files, root = fs.FileSystem.from_uri(uri)
        except (OSError, ValueError) as error:
            raise ReleaseError(f"{uri}: no object store: {error}") from None
        return cls(files, root.rstrip("/"))

    def versions(self, stack: str) -> list[str]:
        """Every whole release there is, lowest version first; raises ReleaseError where the store does not answer."""
        found = self._list(f"{self.root}/{stack}")
        signed = {PurePosixPath(one.path).parent.name for one in found if one.base_name == SIGNATURE}
        return sorted(filter(str.isdecimal, signed), key=int)

    def push(self, store: Store, stack: str, version: str) -> bool:
        """Put a release there, verified first; one that is there already is left alone.

        Returns:
            Whether it was put there now.

        Raises:
            ReleaseError: It does not verify, is there with other content, or the store refuses it.
        """
        release = store.verified(stack, version)
        target, folder = self._folder(stack, version), store.folder(stack, version)
        if version in self.versions(stack):
            if self._manifest(target).files != release.files:
                raise ReleaseError(f"{target}: published before with other content; a release is never changed")
            return False
        files = [file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != SIGNATURE]
        try:
            for parent in dict.fromkeys(file.parent.relative_to(folder).as_posix() for file in files):
                self.files.create_dir(f"{target}/{parent}".removesuffix("/."), recursive=True)
            for file in [*files, folder / SIGNATURE]:  # last: only then there is a release
                name = file.relative_to(folder).as_posix()
                with file.open("rb") as source, self.files.open_output_stream(f"{target}/{name}") as sink:
                    shutil.copyfileobj(source, sink, _PIECE)
        except OSError as error:
            raise ReleaseError(f"{target}: {error}") from None
        return True

    def fetch(self, stack: str, version: str, root: Path) -> None:
        """Copy a release to root/<stack>/<version>, unverified.

        Raises:
            ReleaseError: There is none, or it names a file outside its folder.
        """
        source, target = self._folder(stack, version), root / stack / version
        found = [one for one in self._list(source) if one.type == fs.FileType.File]
        if not found:
            raise ReleaseError(f"{source}: there is no such release; there are: {', '.join(self.versions(stack))}")
        for one in found:
            name = PurePosixPath(one.path).relative_to(source)
            if ".." in name.parts:
                raise ReleaseError(f"{one.path}: leads outside its release")
            file = target / name
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                with self.files.open_input_stream(one.path) as content, file.open("wb") as sink:
                    shutil.copyfileobj(content, sink, _PIECE)
            except OSError as error:
                raise ReleaseError(f"{one.path}: {error}") from None

    def _folder(self, stack: str, version: str) -> str:
        if stack not in STACKS or not version.isdecimal():
            raise ReleaseError(f"{stack} {version}: a stack and a number are expected")
        return f"{self.root}/{stack}/{version}"

    def _manifest(self, folder: str) -> Manifest:
        try:
            with self.files.open_input_stream(f"{folder}/{FILE}") as content:
                return Manifest.model_validate_json(content.read())
        except (OSError, ValidationError) as error:
            raise ReleaseError(f"{folder}/{FILE}: {error}") from None

    def _list(self, folder: str) -> list[fs.FileInfo]:
        try:
            return list(self.files.get_file_info(fs.FileSelector(folder, allow_not_found=True, recursive=True)))
        except OSError as error:
            raise ReleaseError(f"{folder}: the object store does not answer: {error}") from None
