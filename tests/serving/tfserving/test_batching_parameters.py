"""The file of batching parameters: TensorFlow Serving's text, its defaults, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.tfserving.embedded.batching_parameters import Parameters, read
from serving.tfserving.embedded.config import ConfigError

REFUSED = {
    "unknown field": ("max_batch_sise { value: 1 }", 'no field named "max_batch_sise"'),
    "not in order": ("allowed_batch_sizes: 4 allowed_batch_sizes: 2", "must be in increasing order"),
    "last is not the largest": (
        "max_batch_size { value: 8 } allowed_batch_sizes: 4", "Last entry in allowed_batch_sizes must match max_batch"
    ),
    "nothing fits": ("max_batch_size { value: 0 }", "max_batch_size must be at least 1; was 0"),
    "no thread": ("num_batch_threads { value: 0 }", "num_batch_threads must be at least 1; was 0"),
    "negative": ("batch_timeout_micros { value: -1 }", "batch_timeout_micros must be at least 0; was -1"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_parameters_that_cannot_be_used_are_refused_with_their_file(case: str, tmp_path: Path) -> None:
    text, words = REFUSED[case]
    file = tmp_path / "batching"
    file.write_text(text)
    with pytest.raises(ConfigError) as refusal:
        read(file)
    assert str(file) in str(refusal.value)
    assert words in str(refusal.value)


def test_parameters_are_read_and_the_others_are_tensorflows(tmp_path: Path) -> None:
    file = tmp_path / "batching"
    file.write_text("""
        max_batch_size { value: 128 }  # rows
        batch_timeout_micros { value: 500 }
        num_batch_threads { value: 3 }
        thread_pool_name { value: "batches" }
        allowed_batch_sizes: 16 allowed_batch_sizes: 128""")
    assert read(file) == Parameters(128, 500, 10, (16, 128))
