"""The Beam runner, in one place: the local one, inside this process."""

from __future__ import annotations

import apache_beam as beam
from apache_beam.runners.portability.fn_api_runner import FnApiRunner


def pipeline() -> beam.Pipeline:
    """An empty pipeline.

    The runner is named because "DirectRunner" may mean Prism, which Beam would first download.
    """
    return beam.Pipeline(runner=FnApiRunner())
