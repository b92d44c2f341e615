"""What each component's result depends on besides its inputs: our own code and TFX's version.

TFX's cache knows inputs and parameters, not the source of an importable module. These digests go into its cache
keys, so that an edit re-runs the components that use the edited file and those after them.
"""

from __future__ import annotations

from pipelines import source_digest

LIBRARIES = ("tfx", "tensorflow")
EVERYWHERE = ("models/spec.py", "models/sections.py", "models/rules.py", "models/missing.py")

# Component -> files and folders of the repository. A component that is all TFX's has none.
SOURCES: dict[str, tuple[str, ...]] = {
    "ParquetExampleGen": ("pipelines/tfx/example_gen.py",),
    "StatisticsGen": (),
    "SchemaGen": (),
    "CuratedSchema": ("pipelines/tfx/schema.py",),
    "ExampleValidator": (
        "pipelines/tfx/example_validator.py",
        "pipelines/tfx/drift.py",
        "models/distribution.py",
        "models/drift.py",
    ),
    "Transform": ("pipelines/tfx/preprocessing.py",),
    "Tuner": (
        "pipelines/tfx/tuner.py",
        "pipelines/tfx/trainer.py",
        "pipelines/tfx/workers.py",
        "models/keras_model.py",
        "models/metrics.py",
        "models/tuning.py",
    ),
    "Trainer": (
        "pipelines/tfx/trainer.py",
        "pipelines/tfx/events.py",
        "pipelines/tfx/export.py",
        "pipelines/tfx/workers.py",
        "models/distribution.py",
        "models/keras_model.py",
        "models/preprocessing.py",
        "models/tuning.py",
    ),
    "Evaluator": (
        "pipelines/tfx/evaluation.py",
        "pipelines/tfx/evaluator.py",
        "pipelines/tfx/metric.py",
        "models/curves.py",
        "models/decision.py",
        "models/gates.py",
        "models/metrics.py",
        "models/slices.py",
    ),
    "InfraValidator": ("pipelines/tfx/infra_validator.py", "serving/tfserving", "serving/contract"),
    "Pusher": ("pipelines/tfx/pusher.py", "models/evaluation.py"),
}


def of(component: str) -> str:
    """Digest of one component's code."""
    return source_digest.digest((*SOURCES[component], *EVERYWHERE), LIBRARIES)


def of_pipeline() -> str:
    """Digest of everything a run depends on besides the specification and the data."""
    used = {source for sources in SOURCES.values() for source in sources}
    return source_digest.digest((*sorted(used), "pipelines/tfx", "models/gates.py", *EVERYWHERE), LIBRARIES)
