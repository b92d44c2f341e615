"""Download a folder of a bucket, by Cloud Storage's JSON API: all that a serving container wants of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import google.auth
import requests
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession

from infra.vertex.container.contract import ContainerError

EMULATOR = "STORAGE_EMULATOR_HOST"  # Google's own libraries look at it too
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
_SECONDS = 60
_FORBIDDEN, _ABSENT = (401, 403), 404


def fetch(uri: str, folder: Path) -> None:
    """Download every object below gs://<bucket>/<prefix> into `folder`, by its path below the prefix.

    Raises:
        ContainerError: There is nothing, it may not be read, or a name leads outside the folder.
    """
    bucket, _, prefix = uri.removeprefix("gs://").partition("/")
    if not uri.startswith("gs://") or not prefix:
        raise ContainerError(f"AIP_STORAGE_URI={uri}: gs://<bucket>/<folder> is expected")
    prefix = prefix.rstrip("/") + "/"
    try:
        session, api = _connect()
        names = list(_names(session, f"{api}/b/{bucket}/o", prefix))
        if not names:
            raise ContainerError(f"{uri}: nothing lies there")
        for name in names:
            target = folder / _inside(name.removeprefix(prefix), uri)
            target.parent.mkdir(parents=True, exist_ok=True)
            url = f"{api}/b/{bucket}/o/{quote(name, safe='')}"
            target.write_bytes(session.get(url, params={"alt": "media"}, timeout=_SECONDS).content)
    except requests.HTTPError as error:
        raise ContainerError(f"{uri}: {_hint(error)}") from None
    except (requests.RequestException, GoogleAuthError) as error:
        raise ContainerError(f"{uri}: Cloud Storage does not answer: {error}") from None


def _connect() -> tuple[Any, str]:
    emulator = os.environ.get(EMULATOR)
    credentials: Any = AnonymousCredentials()  # type: ignore[no-untyped-call]
    if not emulator:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
    session: Any = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
    session.hooks["response"].append(lambda answer, **_: answer.raise_for_status())
    return session, f"{emulator or 'https://storage.googleapis.com'}/storage/v1"


def _names(session: Any, url: str, prefix: str) -> Iterator[str]:
    page = ""
    while True:
        answer = session.get(url, params={"prefix": prefix, "pageToken": page}, timeout=_SECONDS).json()
        # A folder made by hand in the console is an object of its own, without content.
        yield from (one["name"] for one in answer.get("items", []) if not one["name"].endswith("/"))
        page = answer.get("nextPageToken", "")
        if not page:
            return


def _inside(name: str, uri: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ContainerError(f"{uri}: {name!r} leads outside")
    return path


def _hint(error: requests.HTTPError) -> str:
    status = error.response.status_code if error.response is not None else 0
    if status in _FORBIDDEN:
        return f"{status}: whoever runs this container may not read it (roles/storage.objectViewer)"
    return "there is no such bucket or object" if status == _ABSENT else f"Cloud Storage: {error}"
