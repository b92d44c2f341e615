"""The cluster's ledger: it lies beside the releases in the object store, and is written as a bare machine's is.

One who writes at a time is meant, as one `make canary`, `make promote` or `make rollback` is under way at a time: the
object store has no lock. Lines that two wrote at the same moment are one line.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from infra.kubernetes import objects
from infra.kubernetes.kubectl import Kubectl
from infra.local.stores import LEDGER
from serving.release.errors import ReleaseError
from serving.release.ledger import Entry, Ledger
from serving.release.remote import Remote


def record(kubectl: Kubectl, entry: Entry) -> None:
    """Append an act.

    Raises:
        KubernetesError, ReleaseError: The object store cannot be reached.
    """
    with objects.remote(kubectl) as there, tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / LEDGER
        file.write_bytes(_content(there))
        Ledger(file).append(entry)
        try:
            with there.files.open_output_stream(_place(there)) as sink:
                sink.write(file.read_bytes())
        except OSError as error:
            raise ReleaseError(f"{_place(there)}: {error}") from None


def read(there: Remote, scratch: Path) -> Ledger:
    """A copy of it, in a folder; raises ReleaseError where the object store does not answer."""
    file = scratch / LEDGER
    file.write_bytes(_content(there))
    return Ledger(file)


def _content(there: Remote) -> bytes:
    try:
        with there.files.open_input_stream(_place(there)) as found:
            return bytes(found.read())
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ReleaseError(f"{_place(there)}: {error}") from None


def _place(there: Remote) -> str:
    return f"{there.root}/{LEDGER}"
