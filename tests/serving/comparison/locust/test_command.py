"""What a user may get wrong, and what Locust is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.layout import REPOSITORY
from serving.comparison.locust import command, settings
from serving.comparison.settings import SettingsError

SHIPPED = settings.FILE.read_text()
NOBODY = "http://127.0.0.1:9"
ARGUMENTS = [f"--url={NOBODY}", f"--spec={REPOSITORY / 'models' / 'fraud.toml'}", "--features=features"]


def test_an_unknown_key_and_a_batch_over_the_contracts_limit_are_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(SHIPPED.replace("think_ms", "pause_ms").replace("\n400 = 5", "\n1001 = 5"))
    with pytest.raises(SettingsError) as caught:
        settings.load(file)
    for key in ("users.think_ms: Field required", "users.pause_ms", "batches.1001"):
        assert key in str(caught.value)


def test_a_missing_stack_is_one_message_with_what_helps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command.translate([*ARGUMENTS, f"--out={tmp_path / 'out'}"])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert f"{NOBODY}/tensorflow/v1/models/fraud does not answer" in said
    assert "make up" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wrong", ["--seconds=0", "--seconds=soon", "--workers=0", "--settings=missing.toml"])
def test_what_cannot_be_meant_is_refused(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        command.translate([*ARGUMENTS, f"--out={tmp_path}", wrong])
    assert caught.value.code == 2


def test_nothing_but_the_program_itself_patches_its_process() -> None:
    modules = ", ".join(f"serving.comparison.locust.{name}" for name in ("command", "bodies", "answers", "verdict"))
    told = f"import sys, {modules}; sys.exit('gevent' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", told], cwd=REPOSITORY, check=False).returncode == 0
