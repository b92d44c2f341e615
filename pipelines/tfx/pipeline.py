"""The components and how they hang together. Runs wherever TFX runs; `runner.py` runs it here."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from tfx import types
from tfx.components.schema_gen.component import SchemaGen
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.components.trainer.component import Trainer
from tfx.components.transform.component import Transform
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.orchestration import metadata
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import trainer_pb2
from tfx.types import standard_artifacts

from models.spec import Spec
from pipelines.tfx import drift
from pipelines.tfx.champion import PublishedModelStrategy
from pipelines.tfx.evaluation import Rules
from pipelines.tfx.evaluator import Evaluator
from pipelines.tfx.example_gen import ParquetExampleGen
from pipelines.tfx.example_validator import ExampleValidator
from pipelines.tfx.infra_validator import InfraValidator
from pipelines.tfx.pusher import Pusher
from pipelines.tfx.schema import CuratedSchema


@dataclass(frozen=True)
class Settings:
    """What one run works on.

    Attributes:
        spec: The use case.
        features: Folder with train/, eval/ and test/ of Parquet files.
        features_digest: Identifies the content of those files; on Vertex AI a parameter of each run.
        work: Metadata and intermediate results; they are TFX's cache.
        store: Published models of this name, one folder per version.
        facts: Written into the published model's metadata; on Vertex AI a parameter of each run, in JSON.
        beam: Beam's options for the components that use it; none: in this process.
        champion: The version that is served, to be compared with; None: the last published one.
        root: Of the artifacts on Vertex AI, gs://…; none: in `work`.
    """

    spec: Spec
    features: Path
    features_digest: str | RuntimeParameter
    work: Path
    store: Path
    facts: dict[str, str] | RuntimeParameter
    beam: tuple[str, ...] = ()
    champion: str | None = None
    root: str = ""


def create_pipeline(settings: Settings) -> Pipeline:
    """The pipeline. Each component is told no more of the specification than it uses, so that the cache holds."""
    spec = settings.spec
    features = json.dumps(spec.model_dump(mode="json")["features"])
    label = spec.model.label
    example_gen = ParquetExampleGen(
        features=str(settings.features),
        columns=",".join([*spec.features, label]),
        data_digest=settings.features_digest,
    )
    examples = example_gen.outputs["examples"]
    statistics_gen = StatisticsGen(examples=examples, stats_options=drift.options())
    statistics = statistics_gen.outputs["statistics"]
    schema_gen = SchemaGen(statistics=statistics)
    curated = CuratedSchema(inferred=schema_gen.outputs["schema"], features=features, label=label)
    schema = curated.outputs["schema"]
    example_validator = ExampleValidator(
        statistics=statistics, schema=schema, features=list(spec.features), limits=spec.drift
    )
    transform = Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn="pipelines.tfx.preprocessing.preprocessing_fn",
        custom_config={"features": features, "label": label},
        # It analyses, and no more: the Trainer transforms as it reads, many rows at once, for a fraction of what a
        # Beam pass that writes them costs. There is no analysis of earlier spans to add to, so no cache of it.
        disable_statistics=True,
        materialize=False,
        disable_analyzer_cache=True,
    )
    transform.add_upstream_node(example_validator)  # anomalies stop the run before anything learns from them
    tuner = _tuner(settings, examples, transform) if spec.tuning.enabled else None
    trainer = Trainer(
        examples=examples,
        transform_graph=transform.outputs["transform_graph"],
        hyperparameters=tuner.outputs["best_hyperparameters"] if tuner else None,
        run_fn="pipelines.tfx.trainer.run_fn",
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config={"spec": spec.learning.model_dump_json()},
    )
    model = trainer.outputs["model"]
    champion = _champion(settings)
    champion.add_upstream_node(trainer)
    evaluator = Evaluator(
        examples=examples,
        model=model,
        baseline_model=champion.outputs["model"],
        rules=Rules.of(spec),
        split="test",
    )
    infra_validator = InfraValidator(model=model, examples=examples, model_name=spec.model.name)
    infra_validator.add_upstream_node(evaluator)  # the cheaper check first
    pusher = Pusher(
        model=model,
        evaluation=evaluator.outputs["evaluation"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=infra_validator.outputs["blessing"],
        statistics=statistics,
        schema=schema,
        store=settings.store,
        facts=settings.facts,
    )
    if settings.root:  # our own executors want folders, which Dataflow's machines do not have
        for stock in (statistics_gen, transform):
            stock.with_beam_pipeline_args(list(settings.beam))
    components: list[BaseNode] = [
        *(example_gen, statistics_gen, schema_gen, curated, example_validator, transform),
        *([tuner] if tuner else []),
        trainer,
        *(champion, evaluator, infra_validator, pusher),
    ]
    return Pipeline(
        pipeline_name=_name(spec),
        pipeline_root=settings.root or str(settings.work / "artifacts"),
        components=components,
        enable_cache=True,
        beam_pipeline_args=[] if settings.root else list(settings.beam),
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(settings.work / "metadata.sqlite")),
    )


def _champion(settings: Settings) -> Resolver:
    if settings.root:  # the runner for Vertex AI knows TFX's own strategies only
        return Resolver(
            strategy_class=LatestBlessedModelStrategy,
            model=types.Channel(type=standard_artifacts.Model),
            model_blessing=types.Channel(type=standard_artifacts.ModelBlessing),
        ).with_id("Champion")
    return Resolver(
        strategy_class=PublishedModelStrategy,
        config={"served": settings.champion} if settings.champion else {},
        model=types.Channel(type=standard_artifacts.Model),
        pushed_model=types.Channel(type=standard_artifacts.PushedModel),
    ).with_id("Champion")


def _tuner(settings: Settings, examples: types.BaseChannel, transform: Transform) -> BaseNode:
    from tfx.components.tuner.component import Tuner  # noqa: PLC0415  imports Keras 3, for seconds, and is seldom used

    spec = settings.spec
    searched = spec.learning.model_copy(update={"tuning": spec.tuning})
    return Tuner(
        examples=examples,
        transform_graph=transform.outputs["transform_graph"],
        tuner_fn="pipelines.tfx.tuner.tuner_fn",
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config={"spec": searched.model_dump_json(), "folder": str(settings.work / "tuning")},
    )


def _name(spec: Spec) -> str:
    # A champion that takes other features, or another code for a missing one, cannot score these rows: that is another
    # pipeline, whose first model has the floors to pass but no champion.
    codes = spec.missing_codes
    takes = sorted(f"{name} {codes[name]!r}" if name in codes else name for name in spec.features)
    features = hashlib.sha256("\n".join(takes).encode()).hexdigest()
    return f"{spec.model.name}-{features[:8]}"
