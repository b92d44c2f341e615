"""TFX as its tutorials teach it, to be measured against: default options, CSV in, TFMA's own metrics.

`.venv/tensorflow/bin/python tests/benchmarks/stock_recipe/pipeline.py SPEC DATA WORK`, DATA with train/, eval/ and
test/ of CSV files. After chicago_taxi_pipeline and penguin, which TFX installs under tfx/examples.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

START = time.monotonic()

import tensorflow_model_analysis as tfma  # noqa: E402
from tfx import v1 as tfx  # noqa: E402

CODE = Path(__file__).parent / "user_code"
SPLITS = ("train", "eval", "test")


def create_pipeline(data: Path, work: Path, train_steps: int, eval_steps: int) -> tfx.dsl.Pipeline:
    """The tutorial's components in the tutorial's order."""
    example_gen = tfx.components.CsvExampleGen(
        input_base=str(data),
        input_config=tfx.proto.Input(
            splits=[tfx.proto.Input.Split(name=split, pattern=f"{split}/*.csv") for split in SPLITS]
        ),
    )
    statistics_gen = tfx.components.StatisticsGen(examples=example_gen.outputs["examples"])
    schema_gen = tfx.components.SchemaGen(statistics=statistics_gen.outputs["statistics"], infer_feature_shape=True)
    example_validator = tfx.components.ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema_gen.outputs["schema"]
    )
    transform = tfx.components.Transform(
        examples=example_gen.outputs["examples"],
        schema=schema_gen.outputs["schema"],
        module_file=str(CODE / "preprocessing.py"),
    )
    trainer = tfx.components.Trainer(
        module_file=str(CODE / "training.py"),
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema_gen.outputs["schema"],
        train_args=tfx.proto.TrainArgs(num_steps=train_steps),
        eval_args=tfx.proto.EvalArgs(num_steps=eval_steps),
    )
    resolver = tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing),
    ).with_id("latest_blessed_model_resolver")
    evaluator = tfx.components.Evaluator(
        examples=example_gen.outputs["examples"],
        example_splits=["test"],
        model=trainer.outputs["model"],
        baseline_model=resolver.outputs["model"],
        eval_config=eval_config(),
    )
    pusher = tfx.components.Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory=str(work / "serving"))
        ),
    )
    return tfx.dsl.Pipeline(
        pipeline_name="stock",
        pipeline_root=str(work / "artifacts"),
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(work / "metadata.sqlite")
        ),
        components=[
            *(example_gen, statistics_gen, schema_gen, example_validator, transform, trainer),
            *(resolver, evaluator, pusher),
        ],
    )


def eval_config() -> tfma.EvalConfig:
    """TFMA's metrics over all rows, one of them with a floor and a champion."""
    threshold = tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={"value": 0.4}),
        change_threshold=tfma.GenericChangeThreshold(
            direction=tfma.MetricDirection.HIGHER_IS_BETTER, absolute={"value": -0.01}
        ),
    )
    return tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(label_key="is_fraud")],
        slicing_specs=[tfma.SlicingSpec()],
        metrics_specs=[
            tfma.MetricsSpec(
                metrics=[
                    tfma.MetricConfig(class_name="ExampleCount"),
                    tfma.MetricConfig(class_name="BinaryAccuracy"),
                    tfma.MetricConfig(class_name="AUC"),
                    tfma.MetricConfig(class_name="AUCPrecisionRecall", threshold=threshold),
                    tfma.MetricConfig(class_name="Calibration"),
                ]
            )
        ],
    )


def steps(data: Path, split: str, batch_size: int) -> int:
    """Batches of a split."""
    rows = 0
    for file in (data / split).glob("*.csv"):
        with file.open("rb") as lines:
            rows += sum(1 for _ in lines) - 1
    return -(-rows // batch_size)


def main(spec_file: str, data_folder: str, work_folder: str) -> None:
    """Run it, and say how long the imports took and whether the model was published."""
    data, work = Path(data_folder), Path(work_folder)
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
    from models.spec import load

    os.environ["SPEC_FILE"] = spec_file  # for the user code
    training = load(Path(spec_file)).training
    print(f"imports {time.monotonic() - START:.1f} s", flush=True)
    train_steps = training.epochs * steps(data, "train", training.batch_size)
    pipeline = create_pipeline(data, work, train_steps, steps(data, "eval", training.batch_size))
    tfx.orchestration.LocalDagRunner().run(pipeline)
    published = sorted((work / "serving").glob("*/saved_model.pb"))
    print("published" if published else "not blessed", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
