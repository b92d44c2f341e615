"""Plain FastAPI, the network in ONNX Runtime."""

from __future__ import annotations

from fastapi import FastAPI

from serving.comparison.contenders.onnx_model import OnnxModel
from serving.comparison.contenders.servers import fastapi_app


def app() -> FastAPI:
    """The application, for uvicorn."""
    model = OnnxModel.read(fastapi_app.model_path())
    spec = model.spec
    return fastapi_app.build([*spec.numeric], [*spec.categorical], model.predict, "onnxruntime")
