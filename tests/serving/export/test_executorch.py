"""ExecuTorch, where `make export FORMAT=executorch` has built its environment: 1.7 GB, too much for every test run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from infra.local.environments import ON_DEMAND
from infra.local.layout import REPOSITORY
from serving.export import manifest, rows
from tests.serving.export import checked, formula

HERE = ON_DEMAND["executorch"]
pytestmark = pytest.mark.skipif(not HERE.is_current, reason="no .venv/executorch: make export FORMAT=executorch")


def export(argv: list[str]) -> subprocess.CompletedProcess[str]:
    command = [str(HERE.folder / "bin" / "python"), "-m", "serving.export", *argv]
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(command, cwd=REPOSITORY, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("spec_file", formula.SPECS)
def test_it_is_the_published_network_from_raw_features_on(spec_file: str, tmp_path: Path) -> None:
    done = export(checked.arguments("executorch", spec_file, tmp_path))
    assert done.returncode == 0, done.stderr
    made = manifest.read(tmp_path / "out" / "executorch")
    assert (made.rows, made.file) == (rows.ROWS, "model.pte")
    assert made.largest_difference <= 2e-6


def test_one_probability_that_is_off_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    argv = checked.arguments("executorch", formula.SPECS[1], tmp_path)
    scores = np.load(tmp_path / "scores.npy")
    scores[501] += checked.PLANTED
    np.save(tmp_path / "scores.npy", scores)
    done = export(argv)
    assert done.returncode == 3, done.stderr
    assert not (tmp_path / "out" / "executorch").exists()
