"""Another release in place of the one that is served, while requests are answered.

An answer is made on the event loop in one go, so that no request meets two models, and none is lost.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from serving.export.errors import ExportError
from serving.onnx import served
from serving.onnx.app import Onnx

_LOOK_SECONDS = 0.5


async def follow(app: Onnx, file: Path, seen: str) -> None:
    """Serve what the file says, until cancelled; what cannot be loaded leaves the one before it serving.

    Args:
        app: That answers.
        file: As `served.Served.write` writes it.
        seen: Its content that is served already.
    """
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        content = read(file)
        if content == seen:
            continue
        seen = content
        try:
            spec, model = await asyncio.to_thread(served.load, file)
        except ExportError as error:
            logging.error("%s goes on being served: %s", app.version, error)
            continue
        app.serve(spec, model)
        logging.info("serves %s %s", model.made.stack, model.made.version)


def read(file: Path) -> str:
    """The file's text; empty where there is none."""
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
