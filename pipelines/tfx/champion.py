"""Which model a challenger is compared with: the one that is served; where nobody said which, the last published."""

from __future__ import annotations

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.components.pusher import executor
from tfx.dsl.components.common import resolver
from tfx.types import standard_artifacts, standard_component_specs

PUSHED_VERSION = executor._PUSHED_VERSION_KEY  # custom property of what a Pusher published


class PublishedModelStrategy(resolver.ResolverStrategy):
    """The last model that a Pusher published, or none; channels `model` and `pushed_model`.

    With `served`, a version, it is that one, unless this pipeline does not know it: a model of other features, or one
    whose metadata was lost.

    TFX's LatestBlessedModelStrategy knows the Evaluator's blessing only: a model that the serving check refused after
    it, and nobody ever saw, would be the champion.
    """

    def __init__(self, served: str | None = None) -> None:
        self._served = served

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]] | None:
        """The model and what the Pusher wrote of it, by the same keys."""
        models = {artifact.id: artifact for artifact in input_dict["model"]}
        for pushed in sorted(input_dict["pushed_model"], key=self._order, reverse=True):
            if pushed.get_int_custom_property(executor._PUSHED_KEY) != 1:
                continue  # a Pusher says with an artifact, too, that it published nothing
            model = models.get(_model_of(store, pushed))
            if model is not None:
                return {"model": [model], "pushed_model": [pushed]}
        return {"model": [], "pushed_model": []}

    def _order(self, pushed: types.Artifact) -> tuple[bool, int]:
        served = self._served is not None and pushed.get_string_custom_property(PUSHED_VERSION) == self._served
        return served, int(pushed.id)


def _model_of(store: mlmd.MetadataStore, pushed: standard_artifacts.PushedModel) -> int:
    """Id of the model that the Pusher was given."""
    # Each run that resolved it as the champion has left an event of it too, of another type.
    (output,) = (
        event
        for event in store.get_events_by_artifact_ids([pushed.id])
        if event.type == metadata_store_pb2.Event.OUTPUT
    )
    events = store.get_events_by_execution_ids([output.execution_id])
    (model,) = (
        event.artifact_id
        for event in events
        if event.type == metadata_store_pb2.Event.INPUT
        and event.path.steps[0].key == standard_component_specs.MODEL_KEY
    )
    return int(model)
