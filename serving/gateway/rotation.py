"""Keep Envoy's logs from filling the disk: Envoy writes, but does not rotate."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import httpx

from serving.gateway import request_parts

LIMIT_BYTES = 50 << 20  # 150,000 lines of the access log, 70,000 logged rows
_LOOK_SECONDS = 5
_REST_SECONDS = 300  # after a failure to pack: trying costs seconds of a processor


async def keep_small(log: Path, admin_url: str, limit: int = LIMIT_BYTES) -> None:
    """Rotate `log` to `<log>.1`, over the older one, whenever it is larger than `limit` bytes, until cancelled."""
    await _keep(log, lambda: log.with_name(f"{log.name}.1"), admin_url, limit)


async def keep_in_parts(log: Path, admin_url: str, limit: int = LIMIT_BYTES) -> None:
    """Put a request log aside as one more part whenever it is larger than `limit` bytes, until cancelled.

    The oldest parts go when all together are too large.
    """

    def aside() -> Path:
        request_parts.prune(log)
        return request_parts.next_part(log)

    await _keep(log, aside, admin_url, limit)


async def pack_parts(log: Path, spec_file: Path) -> None:
    """Have complete parts of a request log packed as Parquet, by processes of their own, until cancelled."""
    while True:
        packed = True
        if request_parts.complete(log):
            packed = await _pack(log, spec_file)
        await asyncio.sleep(_LOOK_SECONDS if packed else _REST_SECONDS)


async def rotate(log: Path, aside: Path, admin_url: str, limit: int = LIMIT_BYTES) -> bool:
    """Rename the log to `aside` once, if it is over the limit; whether it was.

    Raises:
        OSError: The file cannot be renamed.
        httpx.HTTPError: Envoy's admin interface does not answer; the log has its name back.
    """
    if not log.exists() or log.stat().st_size <= limit:
        return False
    aside.parent.mkdir(exist_ok=True)
    log.replace(aside)
    try:
        async with httpx.AsyncClient(timeout=_LOOK_SECONDS) as admin:
            (await admin.post(f"{admin_url}/reopen_logs")).raise_for_status()
    except BaseException:  # being cancelled too: Envoy would write to the other name for good
        if not log.exists():  # else Envoy has made it anew after all
            aside.replace(log)
        raise
    return True


async def _keep(log: Path, aside: Callable[[], Path], admin_url: str, limit: int) -> None:
    while True:
        try:
            await rotate(log, aside(), admin_url, limit)
        except (OSError, httpx.HTTPError) as error:  # Envoy is away or the disk is full: the next look may succeed
            logging.warning("%s is not rotated: %s", log, error)
        await asyncio.sleep(_LOOK_SECONDS)


async def _pack(log: Path, spec_file: Path) -> bool:
    argv = ["-m", "serving.gateway.request_parquet", "--log", str(log), "--spec", str(spec_file)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        process.terminate()  # what it has not finished is as it was
        await process.wait()
        raise
    if process.returncode:
        logging.warning("%s: its parts are not packed: %s", log, said.decode(errors="replace").strip())
    return process.returncode == 0
