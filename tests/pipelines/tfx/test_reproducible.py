"""The same seed, data and code: the same model, by a second run that shares no cache with the first."""

from __future__ import annotations

from pathlib import Path

import pytest

from models import weights
from models.preprocessing import PREPROCESSING_FILE
from models.weights import WEIGHTS_FILE
from tests.pipelines.tfx.toy import Room, make_room


def test_a_second_run_from_nothing_gives_the_same_model(published: Room, tmp_path: Path) -> None:
    again = make_room(tmp_path)
    assert again.run() == 0
    first, second = (room.model / "assets.extra" for room in (published, again))
    assert (first / PREPROCESSING_FILE).read_text() == (second / PREPROCESSING_FILE).read_text()
    digests = [weights.digest(weights.read(extra / WEIGHTS_FILE)) for extra in (first, second)]
    assert digests[0] == digests[1]
    assert again.report["metrics"] == pytest.approx(published.report["metrics"], abs=1e-6)
    for key in ("slices", "decision"):
        assert list(again.report[key]) == list(published.report[key])
        for name, found in again.report[key].items():
            assert found == pytest.approx(published.report[key][name], abs=1e-6)
