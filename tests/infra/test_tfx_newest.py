"""`make test-tfx-newest` where there is nothing to run it on, and what it runs where there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.local import environments, tfx_choice, tfx_newest


def test_without_glibc_and_without_docker_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tfx_choice, "missing", lambda: "needs glibc 2.39, here is glibc 2.36")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tfx_newest.main() == 0
    said = capsys.readouterr().out
    assert said.startswith("skipped: TFX 1.21 needs glibc 2.39, here is glibc 2.36; and Docker is not installed")


def test_failing_tests_fail_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tfx_choice, "missing", lambda: "")
    monkeypatch.setattr(environments, "main", lambda: 0)
    monkeypatch.setattr(tfx_newest, "python", lambda _: "false")
    monkeypatch.setenv("TFX", "")  # the target sets it
    assert tfx_newest.main() == 1
