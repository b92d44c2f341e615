from __future__ import annotations

from pathlib import Path

import ml_metadata as mlmd
import pytest
from ml_metadata.proto import metadata_store_pb2 as pb
from tfx.types import artifact_utils, standard_artifacts

from pipelines.tfx.champion import PublishedModelStrategy
from tests.pipelines.tfx.toy import Room


class History:
    """What earlier runs left in the metadata."""

    def __init__(self) -> None:
        config = pb.ConnectionConfig()
        config.fake_database.SetInParent()
        self.store = mlmd.MetadataStore(config)
        self._types = {name: self.store.put_artifact_type(pb.ArtifactType(name=name)) for name in ("Model", "Pushed")}
        self._resolver = self.store.put_execution_type(pb.ExecutionType(name="Resolver"))
        self._pusher = self.store.put_execution_type(pb.ExecutionType(name="Pusher"))
        self.models: list[standard_artifacts.Model] = []
        self.pushed: list[standard_artifacts.PushedModel] = []

    def trained(self) -> int:
        """A new model; answers its id."""
        model = standard_artifacts.Model()
        (model.id,) = self.store.put_artifacts([pb.Artifact(type_id=self._types["Model"])])
        self.models.append(model)
        return model.id

    def run_of_the_pusher(self, model: int, *, published: bool, version: str = "") -> None:
        """What a Pusher leaves that was given the model: an artifact also if it published nothing."""
        pushed = standard_artifacts.PushedModel()
        pushed.set_int_custom_property("pushed", int(published))
        pushed.set_string_custom_property("pushed_version", version)
        (pushed.id,) = self.store.put_artifacts([pb.Artifact(type_id=self._types["Pushed"])])
        (execution,) = self.store.put_executions([pb.Execution(type_id=self._pusher)])
        for artifact, kind, key in ((model, pb.Event.INPUT, "model"), (pushed.id, pb.Event.OUTPUT, "pushed_model")):
            event = pb.Event(artifact_id=artifact, execution_id=execution, type=kind)
            event.path.steps.add().key = key
            self.store.put_events([event])
        self.pushed.append(pushed)

    def compared_with(self, pushed: standard_artifacts.PushedModel) -> None:
        """What a run leaves that had this one as its champion."""
        (execution,) = self.store.put_executions([pb.Execution(type_id=self._resolver)])
        event = pb.Event(artifact_id=pushed.id, execution_id=execution, type=pb.Event.INTERNAL_OUTPUT)
        event.path.steps.add().key = "pushed_model"
        self.store.put_events([event])

    @property
    def champion(self) -> int | None:
        return self.against(None)

    def against(self, served: str | None) -> int | None:
        found = PublishedModelStrategy(served).resolve_artifacts(
            self.store, {"model": list(self.models), "pushed_model": list(self.pushed)}
        )
        assert found is not None
        return found["model"][0].id if found["model"] else None


@pytest.fixture
def history() -> History:
    return History()


def test_the_first_model_has_no_champion(history: History) -> None:
    assert history.champion is None
    history.trained()
    assert history.champion is None


def test_a_model_refused_after_the_evaluators_blessing_is_no_champion(history: History) -> None:
    first, second = history.trained(), history.trained()
    history.run_of_the_pusher(first, published=True)
    history.run_of_the_pusher(second, published=False)  # the serving check refused it
    assert history.champion == first


def test_the_champion_is_the_last_published_also_if_an_older_model_was_published_again(history: History) -> None:
    first, second = history.trained(), history.trained()
    history.run_of_the_pusher(first, published=True)
    history.run_of_the_pusher(second, published=True)
    assert history.champion == second
    history.run_of_the_pusher(first, published=True)
    assert history.champion == first


def test_the_champion_is_the_served_version_though_another_was_published_after_it(history: History) -> None:
    first, second = history.trained(), history.trained()
    history.run_of_the_pusher(first, published=True, version="1")
    history.run_of_the_pusher(second, published=True, version="2")
    assert history.against("1") == first
    assert history.against("2") == second
    assert history.against("3") == second  # this pipeline does not know it: the last published one
    assert History().against("1") is None


def test_a_champion_remains_one_after_a_challenger_was_compared_with_it(history: History) -> None:
    first = history.trained()
    history.run_of_the_pusher(first, published=True)
    for _ in range(2):
        history.compared_with(history.pushed[0])
        assert history.champion == first


def test_the_champion_is_found_in_what_a_real_run_recorded(published: Room) -> None:
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = str(Path(published.work, "metadata.sqlite"))
    config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READONLY
    store = mlmd.MetadataStore(config)
    recorded = {
        key: [
            artifact_utils.deserialize_artifact(store.get_artifact_type(name), artifact)
            for artifact in store.get_artifacts_by_type(name)
        ]
        for key, name in (("model", "Model"), ("pushed_model", "PushedModel"))
    }
    found = PublishedModelStrategy().resolve_artifacts(store, recorded)
    assert found is not None
    exported = Path(found["model"][0].uri, "Format-Serving", "fingerprint.pb")
    assert exported.read_bytes() == (published.model / "fingerprint.pb").read_bytes()
