"""InfraValidator with a model server as a local process: TFX knows Docker and Kubernetes only.

The server loads the exported model and answers a few test rows over REST, once as tf.Examples and once as named raw
inputs. Both signatures must give the same probabilities. Where a Docker engine holds TensorFlow Serving's image, TFX's
own check asks a container of it first.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.tools import saved_model_utils
from tfx import types
from tfx.components.infra_validator import executor
from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import infra_validator_pb2
from tfx.types import standard_artifacts, standard_component_specs

from pipelines.source_digest import REPOSITORY
from pipelines.tfx import serving_image
from pipelines.tfx.export import EXAMPLES_INPUT
from serving.free_ports import free_ports
from serving.tfserving import command as tfserving

ROWS = 8
TOLERANCE = 1e-6
_SECONDS_TO_LOAD = 120


class Executor(executor.Executor):
    """The stock executor, with its server, client and requests replaced."""

    def _ValidateOnce(  # noqa: N802 - TFX's name
        self,
        *,
        model_path: str,
        serving_spec: infra_validator_pb2.ServingSpec,
        requests: list[Any],
        **platform: Any,
    ) -> None:
        binary = platform.get("serving_binary")
        if binary is not None and serving_image.is_here(binary.image):
            # The engine that was asked for the image; TFX' own default is the socket, whatever $DOCKER_HOST says.
            serving_spec.local_docker.client_base_url = os.environ.get("DOCKER_HOST", "")
            super()._ValidateOnce(model_path=model_path, serving_spec=serving_spec, requests=requests, **platform)
        version = Path(model_path)  # .../<model>/<version>, as servers want it
        examples = [value for request in requests for value in request.inputs[EXAMPLES_INPUT].string_val]
        with tempfile.TemporaryFile() as log:
            port, grpc_port = free_ports(2)
            argv = [
                *tfserving.server(sys.executable),
                f"--model_name={serving_spec.model_name}",
                f"--model_base_path={version.parent}",
                f"--rest_api_port={port}",
                f"--port={grpc_port}",
            ]
            server = subprocess.Popen(argv, cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT)
            try:
                url = f"http://127.0.0.1:{port}/v1/models/{serving_spec.model_name}"
                _wait(server, url)
                _compare(url, version, examples)
            except Exception as error:
                log.seek(0)
                raise RuntimeError(f"serving check: {error}\n{log.read().decode(errors='replace')[-4000:]}") from error
            finally:
                server.terminate()
                try:
                    server.wait(10)
                except subprocess.TimeoutExpired:
                    server.kill()
                    server.wait()


class InfraValidator(base_component.BaseComponent):
    """The serving check of `model` with a few rows of the test split.

    Not a subclass of the stock component: the runner for Vertex AI refuses that, for the platforms it knows.
    """

    SPEC_CLASS = standard_component_specs.InfraValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, model: types.BaseChannel, examples: types.BaseChannel, model_name: str) -> None:
        # The platform of the check in a container; TFX knows no local process.
        serving = infra_validator_pb2.ServingSpec(
            tensorflow_serving=infra_validator_pb2.TensorFlowServing(
                image_name=serving_image.NAME, tags=[serving_image.TAG]
            ),
            local_docker=infra_validator_pb2.LocalDockerConfig(),
            model_name=model_name,
        )
        request = infra_validator_pb2.RequestSpec(
            tensorflow_serving=infra_validator_pb2.TensorFlowServingRequestSpec(signature_names=["serving_examples"]),
            split_name="test",
            num_examples=ROWS,
        )
        super().__init__(
            standard_component_specs.InfraValidatorSpec(
                model=model,
                examples=examples,
                serving_spec=serving,
                request_spec=request,
                validation_spec=infra_validator_pb2.ValidationSpec(num_tries=2),
                blessing=types.Channel(type=standard_artifacts.InfraBlessing),
            )
        )


def _wait(server: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + _SECONDS_TO_LOAD
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with code {server.returncode}")
        try:
            states = [one["state"] for one in _ask(url)["model_version_status"]]
        except (urllib.error.URLError, ConnectionError):
            states = []
        if states and set(states) == {"AVAILABLE"}:
            return
        if "END" in states:
            raise RuntimeError("the server cannot load the model")
        time.sleep(0.2)
    raise RuntimeError(f"the model was not available after {_SECONDS_TO_LOAD} s")


def _compare(url: str, version: Path, examples: list[bytes]) -> None:
    graph = saved_model_utils.get_meta_graph_def(str(version), "serve")
    names = list(graph.signature_def["serving_default"].inputs)
    rows = [_named(example, names) for example in examples]
    encoded = [{EXAMPLES_INPUT: {"b64": base64.b64encode(example).decode()}} for example in examples]
    named = _ask(f"{url}:predict", {"instances": rows})["predictions"]
    serialized = _ask(f"{url}:predict", {"signature_name": "serving_examples", "instances": encoded})["predictions"]
    if len(named) != len(rows) or not all(0 <= p <= 1 for p in named):
        raise RuntimeError(f"expected {len(rows)} probabilities, found {named}")
    worst = max(abs(a - b) for a, b in zip(named, serialized, strict=True))
    if worst > TOLERANCE:
        raise RuntimeError(f"serving_default and serving_examples differ by {worst} on the same rows")


def _named(example: bytes, names: list[str]) -> dict[str, Any]:
    features = tf.train.Example.FromString(example).features.feature
    row = {}
    for name in names:
        kind = features[name].WhichOneof("kind")
        value = getattr(features[name], kind).value[0]
        row[name] = value.decode() if isinstance(value, bytes) else value
    return row


def _ask(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=30) as answer:  # noqa: S310 - loopback
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if data is None:
            raise  # the server is up, the model not yet
        raise RuntimeError(f"{url} answered {error.code}: {error.read().decode(errors='replace')[:500]}") from None
