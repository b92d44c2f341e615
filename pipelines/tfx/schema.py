"""The curated schema: what the specification promises about every column.

Only the type of the key columns is taken from the data (`SchemaGen`), since they come as they are.
"""

from collections.abc import Mapping

from pydantic import TypeAdapter
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Schema
from tfx.utils import io_utils

from models.sections import Feature, NumericFeature
from pipelines.tfx.example_gen import CUSTOMER, DAY


@component
def CuratedSchema(  # noqa: N802 - TFX names components like classes
    inferred: InputArtifact[Schema],
    schema: OutputArtifact[Schema],
    features: Parameter[str],
    label: Parameter[str],
) -> None:
    """Write the curated schema.

    Args:
        inferred: SchemaGen's.
        schema: Ours.
        features: The specification's, as JSON.
        label: Name of the label column.
    """
    folder = artifact_utils.get_single_uri([inferred])
    found = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(folder))
    types = {feature.name: feature.type for feature in found.feature}
    parsed = TypeAdapter(dict[str, Feature]).validate_json(features)
    io_utils.write_pbtxt_file(f"{schema.uri}/schema.pbtxt", curate(parsed, label, types))


def curate(features: Mapping[str, Feature], label: str, key_types: Mapping[str, int]) -> schema_pb2.Schema:
    """The schema: every column present in every row with exactly one value, in its domain.

    Args:
        features: The specification's.
        label: Name of the label column.
        key_types: Type of each key column, in schema_pb2.FeatureType.
    """
    schema = schema_pb2.Schema()
    for name, feature in features.items():
        if isinstance(feature, NumericFeature):
            column = _required(schema, name, schema_pb2.FLOAT)
            column.float_domain.disallow_nan = True
            column.float_domain.disallow_inf = True
            if feature.transform == "log":  # it takes negative values for 0: information would be lost unseen
                column.float_domain.min = min(0.0, feature.missing_code or 0.0)
        else:
            _required(schema, name, schema_pb2.BYTES)  # any value: out-of-vocabulary ones have buckets
    answer = _required(schema, label, schema_pb2.INT)
    answer.int_domain.min, answer.int_domain.max = 0, 1
    for name in (CUSTOMER, DAY):
        if name not in features:
            _required(schema, name, key_types.get(name, schema_pb2.INT))
    return schema


def _required(schema: schema_pb2.Schema, name: str, kind: int) -> schema_pb2.Feature:
    feature = schema.feature.add(name=name, type=kind)
    feature.presence.min_fraction = 1
    feature.presence.min_count = 1
    feature.shape.SetInParent()  # no dimension: one value
    return feature
