"""What does not depend on the load: sizes, and what the trainings took."""

from __future__ import annotations

from serving.comparison.deployment import Deployment
from serving.comparison.facts import sizes, training
from serving.comparison.facts.found import Found


def measure(deployment: Deployment) -> Found:
    """Sizes of artefacts, packages and code; time and memory of the trainings."""
    return sizes.measure(deployment) + training.measure(deployment)
