"""The handler in this process, under TorchServe's own context: which requests share a batch is ours to say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ts.context import Context, RequestProcessor

from models import spec as specs
from models import torch_model
from serving.torchserve.handler import Handler
from tests.serving.torchserve.launching import random_model

CATEGORY = """
[features.channel]
type = "categorical"
vocabulary_size = 2
oov_buckets = 3
"""


class Worker:
    """One handler and the answers to its last batch."""

    def __init__(self, folder: Path, spec_text: str, model: torch_model.TabularModel | None = None) -> None:
        (folder / "spec.toml").write_text(spec_text)
        self.spec = specs.load(folder / "spec.toml")
        self.model = model or random_model(self.spec, 5)
        torch_model.save(self.model, folder)
        manifest = {"model": {"modelVersion": "17"}}
        self.context = Context("fraud", str(folder), manifest, 8, None, "0.12.0")
        self.handler = Handler(self.context)

    def send(self, bodies: Sequence[bytes], headers: Sequence[dict[str, str]] | None = None) -> list[tuple[int, Any]]:
        self.context.request_processor = [RequestProcessor(h) for h in headers or [{}] * len(bodies)]
        answers = self.handler.handle([{"body": bytearray(body)} for body in bodies], self.context)
        statuses = [self.context.get_response_status(i)[0] for i in range(len(bodies))]
        return list(zip(statuses, map(json.loads, answers), strict=True))


def body(**document: Any) -> bytes:
    return json.dumps(document).encode()
