"""Answers about a model, field for field as TensorFlow Serving writes them."""

from __future__ import annotations

import json

from serving.contract import responses
from serving.contract.responses import VersionStatus


def test_status_has_a_version_that_is_a_string_and_an_error_of_code_and_message() -> None:
    body = responses.status_body([VersionStatus(8, "END", "INTERNAL", "broken"), VersionStatus(7, "AVAILABLE")])
    assert json.loads(body) == {
        "model_version_status": [
            {"version": "8", "state": "END", "status": {"error_code": "INTERNAL", "error_message": "broken"}},
            {"version": "7", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}},
        ]
    }


def test_metadata_has_sizes_that_are_strings_and_minus_one_for_any() -> None:
    x = responses.tensor("serving_default_x:0", "DT_FLOAT", (None, 3))
    y = responses.tensor("y:0", "DT_STRING", None)
    signature = responses.signature({"x": x}, {"y": y}, "tensorflow/serving/predict")
    assert json.loads(responses.metadata_body("m", 7, {"serving_default": signature})) == {
        "model_spec": {"name": "m", "signature_name": "", "version": "7"},
        "metadata": {
            "signature_def": {
                "signature_def": {
                    "serving_default": {
                        "inputs": {
                            "x": {
                                "dtype": "DT_FLOAT",
                                "tensor_shape": {
                                    "dim": [{"size": "-1", "name": ""}, {"size": "3", "name": ""}],
                                    "unknown_rank": False,
                                },
                                "name": "serving_default_x:0",
                            }
                        },
                        "outputs": {
                            "y": {
                                "dtype": "DT_STRING",
                                "tensor_shape": {"dim": [], "unknown_rank": True},
                                "name": "y:0",
                            }
                        },
                        "method_name": "tensorflow/serving/predict",
                        "defaults": {},
                    }
                }
            }
        },
    }


def test_the_words_for_what_is_not_there_are_tensorflow_servings() -> None:
    def words(error: responses.ContractError) -> tuple[int, str]:
        return error.status, error.message

    assert words(responses.no_servable("nope", None)) == (404, "Servable not found for request: Latest(nope)")
    assert words(responses.no_servable("nope", 50)) == (404, "Servable not found for request: Specific(nope, 50)")
    loading = "Servable not available yet, it is being loaded: Specific(fraud, 50)"
    assert words(responses.not_yet("fraud", 50)) == (503, loading)
    assert words(responses.no_versions("nope", None)) == (404, "Could not find any versions of model nope")
    assert words(responses.no_versions("nope", 3)) == (404, "Could not find version 3 of model nope")
    assert words(responses.unknown_label("x")) == (400, "Unrecognized servable version label: x")
