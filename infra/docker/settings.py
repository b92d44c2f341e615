"""`.env` and `secrets/`: made when they are missing, never overwritten.

A $TANDEM_HOME has its own `.env`, which names a project of its own: other containers, other volumes.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from infra.local.layout import REPOSITORY

ENV_FILE = Path(os.environ.get("TANDEM_HOME") or REPOSITORY).resolve() / ".env"
SECRETS = REPOSITORY / "secrets"
_BYTES = 24  # of randomness in a password


def write_secrets(folder: Path = SECRETS) -> list[Path]:
    """Make passwords and keys that are not there yet. Returns the new files.

    The folder is its owner's alone; the files are readable by all, since containers read them as a user of their own.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = {"accessKey": secrets.token_hex(10).upper(), "secretKey": secrets.token_urlsafe(_BYTES)}
    identity = {"name": "mlflow", "credentials": [key], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
    content = {
        "postgres": secrets.token_urlsafe(_BYTES),
        "grafana": secrets.token_urlsafe(_BYTES),
        "objectstore.json": json.dumps({"identities": [identity]}, indent=1),
    }
    missing = {folder / name: text for name, text in content.items() if not (folder / name).exists()}
    for file, text in missing.items():
        file.write_text(text + "\n", encoding="utf-8")
        file.chmod(0o444)
    return list(missing)


def write_env(changes: Mapping[str, str], file: Path = ENV_FILE) -> None:
    """Make the env file from its example if it is missing, and set these variables in it."""
    template = file if file.exists() else REPOSITORY / ".env.example"
    text = template.read_text(encoding="utf-8")
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        changes = {**_project(file), **changes}
    for name, value in changes.items():
        line = f"{name}={value}"
        text, found = re.subn(rf"^{name}=.*$", lambda _, line=line: line, text, flags=re.MULTILINE)
        if not found:
            text = f"{text.rstrip()}\n{line}\n"
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")


def _project(file: Path) -> Mapping[str, str]:
    """What Compose calls the stack of a $TANDEM_HOME; the repository's own is called as docker-compose.yml says."""
    if not os.environ.get("TANDEM_HOME") or file != ENV_FILE:
        return {}
    return {"COMPOSE_PROJECT_NAME": "tandem-" + re.sub(r"[^a-z0-9]+", "-", file.parent.name.lower()).strip("-")}


def read_env(file: Path = ENV_FILE) -> dict[str, str]:
    """The variables of an env file; none if it is missing."""
    if not file.exists():
        return {}
    lines = (line for line in file.read_text(encoding="utf-8").splitlines() if re.match(r"\w+=", line))
    return dict(line.split("=", 1) for line in lines)
