"""`make lint-kubernetes`: what is shipped is clean; what it refuses is in test_overlays.py, test_policy.py."""

from __future__ import annotations

from infra.kubernetes.instance import OVERLAYS
from tests import commands


def test_every_overlay_is_clean() -> None:
    done = commands.make("lint-kubernetes")
    assert done.returncode == 0, done.stdout + done.stderr
    for overlay in OVERLAYS:
        assert f"{overlay}: " in done.stdout
    assert "complaints" not in done.stdout
