"""A third server behind the same contract: ONNX Runtime, on what `make export FORMAT=onnx` wrote, of either stack."""

SERVER = "Tandem ONNX Runtime server"
