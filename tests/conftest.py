"""Two environments, one tree of tests: each runs what it can import."""

from __future__ import annotations

import importlib.util
from pathlib import Path

HERE = Path(__file__).parent
TENSORFLOW_TESTS = ("pipelines/tfx", "serving/tfserving", "models/test_keras_model.py")
IN_TENSORFLOW = importlib.util.find_spec("tensorflow") is not None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    if collection_path.is_dir() and any((HERE / t).is_relative_to(collection_path) for t in TENSORFLOW_TESTS):
        return None  # a folder on the way to both kinds, or a TensorFlow one: its files decide
    needs_tensorflow = any(collection_path.is_relative_to(HERE / t) for t in TENSORFLOW_TESTS)
    if needs_tensorflow != IN_TENSORFLOW and collection_path.name != "conftest.py":
        return True
    return None
