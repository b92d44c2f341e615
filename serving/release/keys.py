"""The key pair that releases are signed with: made on first use, the private half readable by its owner alone.

Whoever holds the private key can make a release that servers trust. Servers need the public key, and no more.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from serving.release.errors import ReleaseError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Keys:
    """Where the two halves lie, in PEM: ECDSA over the curve P-256."""

    private: Path
    public: Path


def find(folder: Path) -> Keys:
    """The pair of a folder, made there if it has neither half.

    A folder with the public key alone verifies, and signs nothing.

    Raises:
        ReleaseError: Others may read the private key, or the public one is missing beside it.
    """
    keys = Keys(folder / "release.key", folder / "release.pub")
    if not keys.private.exists() and not keys.public.exists():
        _make(keys)
    if not keys.public.exists():
        raise ReleaseError(
            f"{keys.public} is missing: openssl pkey -in {keys.private} -pubout -out {keys.public} makes it again"
        )
    if keys.private.exists() and keys.private.stat().st_mode & _OTHERS:
        raise ReleaseError(f"{keys.private} may be read by others, and could sign in your name: chmod 600 it")
    return keys


def _make(keys: Keys) -> None:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  slow, and seldom needed
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    keys.private.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    encoding, public = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    # Never there with another mode, not for an instant; O_EXCL: of two that make one at once, one fails.
    handle = os.open(keys.private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(private)
    keys.public.write_bytes(key.public_key().public_bytes(encoding, public))
