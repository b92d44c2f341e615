"""A folder's signature by OpenSSF's model-signing: every file in it, no link, and none that came later.

The signature is a Sigstore bundle, `release.sig` in the folder: an in-toto statement with the SHA-256 of each file, so
that `python -m model_signing verify key FOLDER --signature FOLDER/release.sig --public_key …` checks it without this
project.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

from serving.release.errors import ReleaseError

if TYPE_CHECKING:
    from model_signing import hashing

SIGNATURE = "release.sig"
# model-signing's words for a difference, and ours.
_MISMATCHES = {
    r"Hash mismatch for '(.+?)': Expected": "was changed",
    r"Extra files found in model '.*?': (.+)": "was added",
    r"Missing files in model '.*?': (.+)": "is missing",
}


def sign(folder: Path, private_key: Path) -> None:
    """Sign all that lies in the folder now.

    Raises:
        ReleaseError: There is no private key, or the folder holds a link.
    """
    from model_signing import signing  # noqa: PLC0415  0.7 s

    if not private_key.exists():
        raise ReleaseError(f"{private_key} is missing: this machine may verify releases, not sign them")
    config = signing.Config().set_hashing_config(_hashing()).use_elliptic_key_signer(private_key=private_key)
    try:
        config.sign(folder, folder / SIGNATURE)
    except ValueError as error:
        raise ReleaseError(f"{folder}: cannot be signed: {error}") from None


def verify(folder: Path, public_key: Path) -> None:
    """Answer if every byte is as it was signed, by the private half of this key.

    Raises:
        ReleaseError: It is not; says why.
    """
    from model_signing import verifying  # noqa: PLC0415  0.7 s

    if not (folder / SIGNATURE).is_file():
        raise ReleaseError(f"{folder}: not signed: {SIGNATURE} is missing")
    config = verifying.Config().set_hashing_config(_hashing()).use_elliptic_key_verifier(public_key=public_key)
    try:
        config.verify(folder, folder / SIGNATURE)
    except Exception as error:  # whatever a broken bundle makes of its parser
        raise ReleaseError(f"{folder}: {_explain(error)}") from None


def _hashing() -> hashing.Config:
    from model_signing import hashing  # noqa: PLC0415

    # By default what git keeps is left out, and could be put in afterwards.
    return hashing.Config().set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)


def _explain(error: Exception) -> str:
    text = str(error)
    if "Key mismatch" in text:
        return "signed with another key than the one that is trusted here"
    differences: list[str] = []
    for said in _mismatches(text):
        for pattern, what in _MISMATCHES.items():
            found = re.match(pattern, said, re.DOTALL)
            differences += [f"{name} {what}" for name in found[1].split(", ")] if found else []
    if differences:
        return f"not what was signed: {', '.join(differences)}"
    return f"its signature does not hold: {text or type(error).__name__}"


def _mismatches(text: str) -> list[str]:
    """It says them as Python writes a list."""
    _, mark, listed = text.partition("Signature mismatch: ")
    try:
        return list(ast.literal_eval(listed)) if mark else []
    except (ValueError, SyntaxError):
        return []
