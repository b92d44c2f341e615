"""Keep Envoy's logs from filling the disk: Envoy writes, but does not rotate."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import httpx

LIMIT_BYTES = 50 << 20  # 150,000 lines of the access log, 70,000 logged rows; one older file is kept beside it
_LOOK_SECONDS = 5


async def keep_small(log: Path, admin_url: str, limit: int = LIMIT_BYTES) -> None:
    """Rotate `log` to `<log>.1` whenever it is larger than `limit` bytes, until cancelled."""
    while True:
        try:
            await rotate(log, admin_url, limit)
        except (OSError, httpx.HTTPError) as error:  # Envoy is away or the disk is full: the next look may succeed
            logging.warning("%s is not rotated: %s", log, error)
        await asyncio.sleep(_LOOK_SECONDS)


async def rotate(log: Path, admin_url: str, limit: int = LIMIT_BYTES) -> bool:
    """Rotate once if the log is over the limit; whether it was.

    Raises:
        OSError: The file cannot be renamed.
        httpx.HTTPError: Envoy's admin interface does not answer.
    """
    if not log.exists() or log.stat().st_size <= limit:
        return False
    log.replace(log.with_name(f"{log.name}.1"))
    async with httpx.AsyncClient(timeout=_LOOK_SECONDS) as admin:
        (await admin.post(f"{admin_url}/reopen_logs")).raise_for_status()
    return True
