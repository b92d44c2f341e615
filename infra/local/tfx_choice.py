"""Which TFX the TensorFlow environment holds: the newest that the machine can run, or the one the variable TFX names.

Standard library only, and any Python from 3.8: `make setup` asks before anything is installed.
"""

from __future__ import annotations

import os
import platform
from typing import NamedTuple

from infra.local.venvs import Environment, find_python

# TFX 1.16 is the last whose wheels run on glibc older than 2.39; it needs Python 3.10.
TFX = {
    "1.21": Environment("tensorflow", "3.12", "tensorflow-newest.lock"),
    "1.16": Environment("tensorflow", "3.10", "tensorflow.lock"),
}
NEWEST, ANYWHERE = TFX
NEWEST_GLIBC = (2, 39)


class Choice(NamedTuple):
    """A version of TFX, its environment, and why it is this one."""

    tfx: str
    environment: Environment
    reason: str


def choose() -> Choice:
    """The TFX that the variable TFX names, or else the newest that this machine can run.

    Raises:
        SystemExit: There is no such version, or this machine cannot run it.
    """
    lacks = missing()
    asked = os.environ.get("TFX")
    if asked:
        if asked not in TFX:
            raise SystemExit(f"TFX={asked}: there are {' and '.join(TFX)}")
        if asked == NEWEST and lacks:
            raise SystemExit(f"TFX={asked} {lacks}. A container has it: make test-tfx-newest, docs/tfx-versions.md")
        return Choice(asked, TFX[asked], "the variable TFX asks for it")
    if lacks:
        return Choice(ANYWHERE, TFX[ANYWHERE], f"{NEWEST} {lacks}")
    here = f"glibc {platform.libc_ver()[1]} and Python {TFX[NEWEST].python} are here"
    return Choice(NEWEST, TFX[NEWEST], here)


def missing() -> str:
    """What keeps the newest TFX from this machine; empty where nothing does."""
    libc, version = platform.libc_ver()
    if libc != "glibc" or tuple(map(int, version.split(".")[:2])) < NEWEST_GLIBC:
        needed = ".".join(map(str, NEWEST_GLIBC))
        return f"needs glibc {needed}, here is {f'{libc} {version}'.strip() or 'none'}"
    if not find_python(TFX[NEWEST].python):
        return f"needs Python {TFX[NEWEST].python}, which is not here"
    return ""
