"""What a sandbox needs beyond web/serving.py: an application, chaos, and work to do."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, NoReturn

import structlog
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from point import __version__
from pointctl.clouds.kit.chaos import Chaos, ChaosMiddleware, ChaosProtocol
from pointctl.errors import PointctlError
from pointctl.web import docs_page, serving, tls
from pointctl.web.headers import SafeHeaders

_LOOK_EVERY_S = 0.25

_log = structlog.get_logger()


def new_app(
    title: str,
    *,
    certificate: tls.Certificate | None = None,
    chaos: Chaos | None = None,
    work: Callable[[], bool] | None = None,
) -> FastAPI:
    """A sandbox's application, without routes of its own yet.

    `work` does a part of what the sandbox does in the background, and returns False
    where there is nothing to do; the database says what there is.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(_work(work)) if work else None
        try:
            async with tls.watch(certificate):
                yield
        finally:
            if task:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    app = FastAPI(
        title=title,
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_middleware(SafeHeaders)
    if chaos is not None:
        app.add_middleware(ChaosMiddleware, chaos=chaos)
    app.include_router(docs_page.router)
    return app


def serve(
    app: FastAPI, listener: socket.socket, certificate: tls.Certificate
) -> NoReturn:
    """Serve HTTPS; SIGTERM and SIGINT end the process with exit code 0."""
    serving.run(app, listener, certificate, http=ChaosProtocol)
    sys.exit(0)


def describe_without_422(app: FastAPI) -> None:
    """Leave 422 out of the description: the framework adds it, the API answers 400."""
    describe = app.openapi

    def describe_without() -> dict[str, Any]:
        page = describe()
        for path in page["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            page["components"]["schemas"].pop(name, None)
        return page

    app.openapi = describe_without  # type: ignore[method-assign]


async def _work(work: Callable[[], bool]) -> None:
    while True:
        try:
            has_worked = await run_in_threadpool(work)
        except PointctlError as error:  # the database may come back
            _log.error("background work waits", exc_info=error)
            has_worked = False
        if not has_worked:
            await asyncio.sleep(_LOOK_EVERY_S)
