"""Writing what boards were refused to the registry, every few seconds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from fastapi.concurrency import run_in_threadpool

from pointctl.registry.devices.refusal_counts import RefusalCounter
from pointctl.registry.storage.database import DatabaseError

_INTERVAL_S = 2

_log = structlog.get_logger()


@asynccontextmanager
async def flushing(counter: RefusalCounter) -> AsyncIterator[None]:
    """Write for as long as the block runs, and once more at its end."""
    task = asyncio.create_task(_flush_forever(counter))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await _flush(counter)


async def _flush_forever(counter: RefusalCounter) -> None:
    while True:
        await asyncio.sleep(_INTERVAL_S)
        await _flush(counter)


async def _flush(counter: RefusalCounter) -> None:
    try:
        await run_in_threadpool(counter.write)
    except DatabaseError as error:  # only figures: boards are served without them
        _log.warning("refusals not counted", exc_info=error)
