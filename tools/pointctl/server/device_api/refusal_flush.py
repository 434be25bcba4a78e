"""Writing down, every few seconds, what boards were refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from fastapi.concurrency import run_in_threadpool

from pointctl.registry.devices.refusal_counts import Counted
from pointctl.registry.storage.database import DatabaseError

_EVERY_S = 2

_log = structlog.get_logger()


@asynccontextmanager
async def written(counted: Counted) -> AsyncIterator[None]:
    """Write for as long as the block runs, and once more at its end."""
    task = asyncio.create_task(_write_on(counted))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await _write(counted)


async def _write_on(counted: Counted) -> None:
    while True:
        await asyncio.sleep(_EVERY_S)
        await _write(counted)


async def _write(counted: Counted) -> None:
    try:
        await run_in_threadpool(counted.write)
    except DatabaseError as error:  # figures to look at: boards are served without
        _log.warning("refusals not counted", exc_info=error)
